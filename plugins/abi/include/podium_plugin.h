// The C contract between Podium and its plugins.
//
// Generated from the crate `podium-plugin-abi`; do not edit. A plugin is a shared library that exports one
// function, `podium_plugin_entry_v1`, and has one line `PODIUM_PLUGIN_NOTE;` in one of its files.
//
// What holds everywhere:
//
// - **Append only.** A struct that can grow has a `struct_size` and is passed by pointer. A reader takes
//   `min(own size, struct_size)` bytes; what is beyond is zero, and zero means "not provided".
// - **Unknown numbers have a meaning.** Each group of constants says which.
// - **Memory.** Arguments are borrowed for the call. Answers go into the caller's buffers or through
//   `podium_host.write`. Nobody frees the other's memory.
// - **Text** is UTF-8 by pointer and length, and distrusted.
// - **Panics and exceptions** never cross: they become `PODIUM_E_PANIC`.
// - Linux, 64 bit, little-endian.

#ifndef PODIUM_PLUGIN_H
#define PODIUM_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// The first four bytes of a descriptor: `POD1`.
#define PODIUM_MAGIC 826560336

// The major version of this contract; another major is another contract, with its own entry symbol.
#define PODIUM_ABI_MAJOR 1

// The minor version of this contract: how far its structs have grown.
#define PODIUM_ABI_MINOR 1

// The most accumulators that one event may add to.
#define PODIUM_K_MAX 8

// The largest magnitude of a contribution, a numerator or a denominator: 2^53, up to which `double` holds every
// whole number.
#define PODIUM_MAGNITUDE_MAX 9007199254740992

// The bytes that a caller should offer for an error text.
#define PODIUM_ERROR_TEXT_CAP 1024

// The call did what was asked.
#define PODIUM_OK 0

// The caller broke the contract: a null pointer, an unknown call.
#define PODIUM_E_INVALID (-1)

// The configuration is not one the component accepts; the text says why.
#define PODIUM_E_CONFIG (-2)

// The ability is not provided.
#define PODIUM_E_UNSUPPORTED (-3)

// The code panicked; the instance must not be used any more.
#define PODIUM_E_PANIC (-4)

// The instance panicked in an earlier call.
#define PODIUM_E_POISONED (-5)

// A limit was reached: size of an answer, memory.
#define PODIUM_E_LIMIT (-6)

// Anything else. An unknown code is read as this one.
#define PODIUM_E_INTERNAL (-7)

// A component that turns events into numbers. A component of unknown kind is skipped and listed.
#define PODIUM_KIND_METRIC 1

// A component that delivers messages.
#define PODIUM_KIND_CHANNEL 2

// A metric whose value is 0 or 1 over 1. A metric of unknown kind is refused.
#define PODIUM_PROPORTION 1

// A metric whose value is any whole number over 1.
#define PODIUM_MEAN 2

// A metric whose value is a whole number over a whole number ≥ 0; 0 over 0 is not in the population.
#define PODIUM_RATIO 3

// Plain numbers. An unknown unit is read as this one.
#define PODIUM_UNIT_PLAIN 0

// Minor units of a currency.
#define PODIUM_UNIT_CURRENCY_MINOR 1

// Things counted.
#define PODIUM_UNIT_COUNT 2

// A share between 0 and 1.
#define PODIUM_UNIT_PROPORTION 3

// Milliseconds.
#define PODIUM_UNIT_MILLISECONDS 4

// More is better. An unknown direction is read as this one.
#define PODIUM_DIRECTION_INCREASE 0

// Less is better.
#define PODIUM_DIRECTION_DECREASE 1

// Normal, for ratios by the delta method. An unknown posterior is read as this one.
#define PODIUM_POSTERIOR_NORMAL 0

// Beta, for values that are 0 or 1.
#define PODIUM_POSTERIOR_BETA 1

// A hurdle at zero and a lognormal above, for amounts with many zeros.
#define PODIUM_POSTERIOR_LOGNORMAL_HURDLE 2

// Gamma–Poisson, for counts.
#define PODIUM_POSTERIOR_GAMMA_POISSON 3

// A column of `int64_t`. A column of unknown type is read as all null.
#define PODIUM_COLUMN_INT 1

// A column of `double`.
#define PODIUM_COLUMN_FLOAT 2

// A column of `uint8_t`, 0 or 1.
#define PODIUM_COLUMN_BOOL 3

// A column of `int64_t` in minor units.
#define PODIUM_COLUMN_MONEY 4

// A column of UTF-8 text, by offsets.
#define PODIUM_COLUMN_TEXT 5

// A column of JSON documents, by offsets.
#define PODIUM_COLUMN_JSON 6

// Log level: someone should act.
#define PODIUM_LOG_ERROR 1

// Log level: something is off.
#define PODIUM_LOG_WARN 2

// Log level: what an operator wants to know.
#define PODIUM_LOG_INFO 3

// Log level: what a developer wants to know.
#define PODIUM_LOG_DEBUG 4

// Log level: everything. An unknown level is read as this one.
#define PODIUM_LOG_TRACE 5

// A message for marketing. An unknown purpose is read as this one.
#define PODIUM_PURPOSE_MARKETING 0

// A message that the recipient waits for.
#define PODIUM_PURPOSE_TRANSACTIONAL 1

// Nobody knows whether the message left. An unknown outcome is read as this one.
#define PODIUM_OUTCOME_UNKNOWN 0

// The provider took the message.
#define PODIUM_OUTCOME_ACCEPTED 1

// Not now; again later.
#define PODIUM_OUTCOME_DEFERRED 2

// Too many; the whole channel slows down.
#define PODIUM_OUTCOME_RATE_LIMITED 3

// The provider refused the message for good.
#define PODIUM_OUTCOME_REJECTED 4

// The address does not exist any more.
#define PODIUM_OUTCOME_TARGET_GONE 5

// The message is larger than the provider takes.
#define PODIUM_OUTCOME_TOO_LARGE 6

// The provider refused our credentials.
#define PODIUM_OUTCOME_AUTH_FAILED 7

// The call was cancelled before the message left.
#define PODIUM_OUTCOME_CANCELLED 8

// A provider that cannot tell a repeated message. An unknown class is read as this one.
#define PODIUM_PROVIDER_BLIND 0

// A provider that knows an idempotency key.
#define PODIUM_PROVIDER_KEYED 1

// A provider that replaces an earlier message with the same key.
#define PODIUM_PROVIDER_COALESCING 2

// Nothing is sent: the client asks.
#define PODIUM_PROVIDER_PULL 3

// A piece of UTF-8 text, or of bytes, that belongs to someone else. Can never grow.
typedef struct {
    // The first byte; may be null if `len` is 0.
    //
    // OWNERSHIP: whoever made it. LIFETIME: as an argument the call, in a descriptor the process.
    // THREAD: any.
    const uint8_t *ptr;
    // Bytes.
    size_t len;
} podium_str;

// The caller's buffer for what went wrong.
typedef struct {
    // `sizeof(podium_error)` of the caller.
    uint32_t struct_size;
    // Bytes that `text` has room for.
    uint32_t cap;
    // Bytes written, at most `cap`; the callee sets it.
    uint32_t len;
    // Zero.
    uint32_t reserved;
    // Where UTF-8 text goes, without a terminating zero; may be null if `cap` is 0.
    //
    // OWNERSHIP: the caller. LIFETIME: the call. THREAD: the calling one.
    uint8_t *text;
} podium_error;

// Writes as JSON, by `podium_host.write` for `call`, what the metric reads.
typedef int32_t (*podium_fields_fn)(void *self, uint64_t call, podium_error *error);

// The values of one field, a row for each event.
typedef struct {
    // `sizeof(podium_column)` of the host.
    uint32_t struct_size;
    // One of the `PODIUM_COLUMN_` numbers.
    uint32_t type;
    // The values: `int64_t`, `double` or `uint8_t` a row, or the bytes that `offsets` point into.
    // Null: every row is null.
    //
    // OWNERSHIP: the host. LIFETIME: the call. THREAD: the calling one.
    const void *data;
    // For text and JSON: n + 1 byte positions; row i is `offsets[i]..offsets[i + 1]`. Null: every row is null.
    //
    // OWNERSHIP: the host. LIFETIME: the call. THREAD: the calling one.
    const uint32_t *offsets;
    // A byte a row: 1 if it has a value, 0 if it is null. Null: every row has a value.
    //
    // OWNERSHIP: the host. LIFETIME: the call. THREAD: the calling one.
    const uint8_t *present;
} podium_column;

// Some events, by column.
typedef struct {
    // `sizeof(podium_batch)` of the host.
    uint32_t struct_size;
    // How many columns there are. A column beyond is null in every row.
    uint32_t n_columns;
    // How many rows there are; with 0, the pointers may be null.
    size_t n;
    // For each row, the index into the events that `fields` listed. A row with an unknown index contributes
    // zeros.
    //
    // OWNERSHIP: the host. LIFETIME: the call. THREAD: the calling one.
    const uint16_t *event;
    // For each row, the event's time in milliseconds since 1970.
    //
    // OWNERSHIP: the host. LIFETIME: the call. THREAD: the calling one.
    const int64_t *time_ms;
    // The columns in the order that `fields` listed. A null column is null in every row.
    //
    // OWNERSHIP: the host. LIFETIME: the call. THREAD: the calling one.
    const podium_column *const *columns;
} podium_batch;

// Turns each event by itself into k whole numbers: exactly n·k doubles go to `out`, row by row.
typedef int32_t (*podium_observe_fn)(void *self, const podium_batch *batch, double *out, podium_error *error);

// Turns n units' sums (k each) into n numerators and n denominators.
typedef int32_t (*podium_value_fn)(void *self,
                                   const double *sums,
                                   size_t n,
                                   double *numerators,
                                   double *denominators,
                                   podium_error *error);

// What a metric is and does.
typedef struct {
    // `sizeof(podium_metric)` of the plugin.
    uint32_t struct_size;
    // Goes up when the same event gives other numbers: the host then adds everything up again.
    uint32_t revision;
    // Accumulators per event, 1 to `PODIUM_K_MAX`.
    uint32_t k;
    // `PODIUM_PROPORTION`, `PODIUM_MEAN` or `PODIUM_RATIO`.
    uint32_t kind;
    // One of the `PODIUM_UNIT_` numbers.
    uint32_t unit;
    // One of the `PODIUM_DIRECTION_` numbers; an experiment may say otherwise.
    uint32_t direction;
    // One of the `PODIUM_POSTERIOR_` numbers: a hint.
    uint32_t posterior;
    // Zero.
    uint32_t reserved;
    // How long after a unit's exposure its events count, in seconds; an experiment may say otherwise.
    int64_t window_s;
    // The quantile that unit sums are capped at, above 0.5 and at most 1; 0: not capped.
    double cap_quantile;
    // Says what the metric reads. THREAD: any.
    podium_fields_fn fields;
    // Turns events into contributions. THREAD: any, several at a time.
    podium_observe_fn observe;
    // Turns sums into values. THREAD: any, several at a time.
    podium_value_fn value;
    // Ids of metrics that are shown beside this one where it decides, because it does not say by itself who is better;
    // with a comma between them, may be empty. One that nobody offers is left out. Since minor version 1.
    //
    // OWNERSHIP: the plugin. LIFETIME: the process. THREAD: any.
    podium_str beside;
} podium_metric;

// What surrounds one call of a channel.
typedef struct {
    // `sizeof(podium_call)` of the host.
    uint32_t struct_size;
    // Zero.
    uint32_t flags;
    // The number to answer with, by the functions of `podium_host`.
    uint64_t id;
    // When the host gives up, in milliseconds since 1970.
    int64_t deadline_ms;
    // The W3C `traceparent`, or empty.
    podium_str trace;
} podium_call;

// Turns a variant's content into the channel's payload.
typedef int32_t (*podium_render_fn)(void *self,
                                    const podium_call *call,
                                    podium_str content_json,
                                    podium_error *error);

// One message to deliver.
typedef struct {
    // `sizeof(podium_message)` of the host.
    uint32_t struct_size;
    // One of the `PODIUM_PURPOSE_` numbers.
    uint32_t purpose;
    // 1 for the first attempt.
    uint32_t attempt;
    // Zero.
    uint32_t reserved;
    // When it is no longer worth sending, in milliseconds since 1970.
    int64_t expires_ms;
    // Equal for all attempts of one message.
    podium_str idempotency_key;
    // Equal for messages that replace each other, or empty.
    podium_str collapse_key;
    // The decision that it carries.
    podium_str decision_id;
    // Where to, in the channel's own form.
    podium_str address_json;
    // What `render` made, filled in.
    podium_str payload_json;
    // Where one click ends it, or empty.
    podium_str unsubscribe_url;
} podium_message;

// Delivers a batch; blocks until each message has its outcome.
typedef int32_t (*podium_deliver_fn)(void *self,
                                     const podium_call *call,
                                     const podium_message *const *messages,
                                     size_t n,
                                     podium_error *error);

// Takes a raw webhook request, checks it, emits events.
typedef int32_t (*podium_ingest_fn)(void *self,
                                    const podium_call *call,
                                    podium_str request_json,
                                    podium_str body,
                                    podium_error *error);

// Logs in at the provider and sends nothing.
typedef int32_t (*podium_health_fn)(void *self, const podium_call *call, podium_error *error);

// What a channel is and does.
typedef struct {
    // `sizeof(podium_channel)` of the plugin.
    uint32_t struct_size;
    // One of the `PODIUM_PROVIDER_` numbers: what the host may do when an outcome is unknown.
    uint32_t provider_class;
    // How long the provider remembers an idempotency key, in seconds.
    uint32_t key_ttl_s;
    // Messages per `deliver`, at least 1.
    uint32_t max_batch;
    // Calls at a time, at least 1.
    uint32_t max_parallel;
    // The largest payload in bytes; 0: no limit.
    uint32_t payload_limit;
    // Makes payloads. THREAD: any, several at a time.
    podium_render_fn render;
    // Sends. THREAD: one of `max_parallel`.
    podium_deliver_fn deliver;
    // Takes webhooks. THREAD: one of `max_parallel`.
    podium_ingest_fn ingest;
    // Tries the connection. THREAD: one of `max_parallel`.
    podium_health_fn health;
} podium_channel;

// Makes an instance from its configuration (JSON; empty means `{}`) and stores it in `*self`.
//
// OWNERSHIP: the plugin. LIFETIME: until `destroy`. THREAD: any.
typedef int32_t (*podium_create_fn)(podium_str config_json, void **self, podium_error *error);

// Ends an instance. No call for it is running or follows.
typedef void (*podium_destroy_fn)(void *self);

// Something that can be configured: a metric or a channel.
typedef struct {
    // `sizeof(podium_component)` of the plugin.
    uint32_t struct_size;
    // One of the `PODIUM_KIND_` numbers.
    uint32_t kind;
    // The name it is asked for by: letters, digits, `.`, `_`, `-`, at most 64.
    podium_str id;
    // A few words for people.
    podium_str title;
    // A sentence or two for people.
    podium_str description;
    // A JSON Schema (2020-12) of the configuration.
    podium_str config_schema;
    // Present for `PODIUM_KIND_METRIC`.
    //
    // OWNERSHIP: the plugin. LIFETIME: the process. THREAD: any.
    const podium_metric *metric;
    // Present for `PODIUM_KIND_CHANNEL`.
    //
    // OWNERSHIP: the plugin. LIFETIME: the process. THREAD: any.
    const podium_channel *channel;
    // Makes an instance.
    podium_create_fn create;
    // Ends an instance.
    podium_destroy_fn destroy;
} podium_component;

// What became of one message.
typedef struct {
    // `sizeof(podium_outcome)` of the plugin.
    uint32_t struct_size;
    // One of the `PODIUM_OUTCOME_` numbers.
    uint32_t status;
    // When to try again, in milliseconds; 0 if the provider did not say.
    uint32_t retry_after_ms;
    // The provider's own number for it.
    uint32_t provider_code;
    // The provider's id of the message.
    podium_str provider_id;
    // A text for the operator.
    podium_str detail;
} podium_outcome;

// The host's functions. Absent ones are null.
typedef struct {
    // `sizeof(podium_host)` of the host.
    uint32_t struct_size;
    // The minor version that the host was built with.
    uint32_t abi_minor;
    // The first argument of every function here.
    //
    // OWNERSHIP: the host. LIFETIME: the process. THREAD: any.
    void *ctx;
    // Says (1 or 0) whether a line of this level would be kept.
    int32_t (*log_enabled)(void *ctx, uint32_t level);
    // Writes one line to the server's log.
    void (*log)(void *ctx, uint32_t level, podium_str target, podium_str message, podium_str fields_json);
    // Appends bytes to the answer of `call`; `PODIUM_E_LIMIT` if it gets too long.
    int32_t (*write)(void *ctx, uint64_t call, podium_str bytes);
    // Says that from now on this message may have been sent. Channels only.
    int32_t (*begin)(void *ctx, uint64_t call, uint32_t message);
    // Says what became of this message; the first one counts. Channels only.
    int32_t (*outcome)(void *ctx, uint64_t call, uint32_t message, const podium_outcome *outcome);
    // Emits an event, during `ingest`. Channels only. It is a JSON object, and one of two kinds:
    //
    // - `{"kind", "provider_id", "idempotency_key", "address", "detail", "time_ms", "for_good"}`: what became of
    //   a message. The kind is `delivered`, `bounced`, `complained`, `unsubscribed`, `opened` or `clicked`; one
    //   of the three names is needed, the rest may be absent.
    // - `{"track": {"event", "messageId", "userId" or "anonymousId", "timestamp", "properties"}}`: what a shopper
    //   did, in the words of Segment's `track` call. The message id counts once.
    int32_t (*event)(void *ctx, uint64_t call, podium_str event_json);
    // Tells the time in milliseconds since 1970. Channels only.
    int64_t (*now_ms)(void *ctx);
    // Looks up an optional ability by name; null if there is none.
    //
    // OWNERSHIP: the host. LIFETIME: the process. THREAD: any.
    const void *(*extension)(void *ctx, podium_str name);
} podium_host;

// Prepares the library; called once, before anything else. No I/O, no threads.
typedef int32_t (*podium_init_fn)(const podium_host *host, podium_error *error);

// Ends everything; called once, last. No callback follows.
typedef void (*podium_quiesce_fn)(int64_t deadline_ms);

// The descriptor of a library.
typedef struct {
    // `PODIUM_MAGIC`.
    uint32_t magic;
    // `PODIUM_ABI_MAJOR`.
    uint16_t abi_major;
    // `PODIUM_ABI_MINOR`.
    uint16_t abi_minor;
    // `sizeof(podium_plugin)` of the plugin.
    uint32_t struct_size;
    // How many components there are, at least 1.
    uint32_t n_components;
    // The plugin's name, by habit a reversed domain: letters, digits, `.`, `_`, `-`, at most 64.
    podium_str id;
    // The plugin's version.
    podium_str version;
    // What it was built with, for people.
    podium_str build;
    // Pointers to the components.
    //
    // OWNERSHIP: the plugin. LIFETIME: the process. THREAD: any.
    const podium_component *const *components;
    // Prepares the library; may be null.
    podium_init_fn init;
    // Ends everything; may be null.
    podium_quiesce_fn quiesce;
    // Looks up an optional ability by name; may be null.
    const void *(*extension)(podium_str name);
} podium_plugin;

// Returns the descriptor: always the same one, constant.
//
// OWNERSHIP: the plugin. LIFETIME: the process. THREAD: any.
typedef const podium_plugin *(*podium_entry_fn)(void);

// Fills a `podium_str` from a string literal: `.title = PODIUM_STR("Orders")`.
#define PODIUM_STR(literal) { (const uint8_t *)("" literal), sizeof("" literal) - 1 }

// Puts the version of this header into a note of the file, which the host reads before it runs any code. To be
// written once, outside of functions: `PODIUM_PLUGIN_NOTE;`
#define PODIUM_PLUGIN_NOTE \
    __attribute__((used, aligned(4), section(".note.podium"))) static const struct { \
        uint32_t owner_size, description_size, type; \
        char owner[8]; \
        uint16_t abi_major, abi_minor; \
    } podium_plugin_note = { 7, 4, 1, "Podium", PODIUM_ABI_MAJOR, PODIUM_ABI_MINOR }

// The one function that a plugin exports, also under `-fvisibility=hidden`: a `podium_entry_fn`.
//
// OWNERSHIP: the plugin. LIFETIME: the process. THREAD: any.
__attribute__((visibility("default"))) const podium_plugin *podium_plugin_entry_v1(void);

#ifdef __cplusplus
} // extern "C"
#endif

#endif // PODIUM_PLUGIN_H
