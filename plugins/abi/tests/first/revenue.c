// A plugin of version 1.0, built against the header as it was then. It must load for ever; neither file changes.
#include "podium_plugin_1_0.h"

#include <string.h>

PODIUM_PLUGIN_NOTE;

static const podium_host *host;

static int32_t init(const podium_host *table, podium_error *error) {
    (void)error;
    host = table;
    return host->write == NULL ? PODIUM_E_UNSUPPORTED : PODIUM_OK;
}

static int32_t create(podium_str config, void **self, podium_error *error) {
    if (config.len == 0 || (config.len == 2 && memcmp(config.ptr, "{}", 2) == 0)) {
        *self = NULL;
        return PODIUM_OK;
    }
    const podium_str text = PODIUM_STR("there is nothing to set");
    error->len = text.len < error->cap ? (uint32_t)text.len : error->cap;
    if (error->len > 0) memcpy(error->text, text.ptr, error->len);
    return PODIUM_E_CONFIG;
}

static void destroy(void *self) { (void)self; }

static int32_t fields(void *self, uint64_t call, podium_error *error) {
    const podium_str json = PODIUM_STR(
        "{\"columns\": [{\"name\": \"amount\", \"type\": \"money\"}], \"events\": [{\"name\": \"Order Completed\", "
        "\"once_per\": \"order_id\", \"read\": {\"amount\": \"revenue\"}}]}");
    (void)self, (void)error;
    return host->write(host->ctx, call, json);
}

static double amount(const podium_batch *batch, size_t row) {
    const podium_column *column = batch->n_columns > 0 ? batch->columns[0] : NULL;
    if (batch->event[row] != 0 || column == NULL || column->type != PODIUM_COLUMN_MONEY || column->data == NULL ||
        (column->present != NULL && !column->present[row])) {
        return 0.0;
    }
    const int64_t minor = ((const int64_t *)column->data)[row];
    return minor < -PODIUM_MAGNITUDE_MAX || PODIUM_MAGNITUDE_MAX < minor ? 0.0 : (double)minor;
}

static int32_t observe(void *self, const podium_batch *batch, double *out, podium_error *error) {
    (void)self, (void)error;
    for (size_t row = 0; row < batch->n; row++) out[row] = amount(batch, row);
    return PODIUM_OK;
}

static int32_t value(void *self, const double *sums, size_t n, double *num, double *den, podium_error *error) {
    (void)self, (void)error;
    for (size_t unit = 0; unit < n; unit++) num[unit] = sums[unit], den[unit] = 1.0;
    return PODIUM_OK;
}

static int32_t render(void *self, const podium_call *call, podium_str content_json, podium_error *error) {
    (void)self, (void)error;
    return host->write(host->ctx, call->id, content_json);
}

static int32_t deliver(void *self, const podium_call *call, const podium_message *const *messages, size_t n,
                       podium_error *error) {
    (void)self, (void)error;
    for (size_t message = 0; message < n; message++) {
        const podium_outcome outcome = {
            .struct_size = sizeof outcome, .status = PODIUM_OUTCOME_ACCEPTED,
            .provider_id = messages[message]->idempotency_key,
        };
        host->begin(host->ctx, call->id, (uint32_t)message);
        host->outcome(host->ctx, call->id, (uint32_t)message, &outcome);
    }
    return PODIUM_OK;
}

static const podium_metric metric = {
    .struct_size = sizeof metric, .revision = 1, .k = 1, .kind = PODIUM_MEAN, .unit = PODIUM_UNIT_CURRENCY_MINOR,
    .posterior = PODIUM_POSTERIOR_LOGNORMAL_HURDLE, .window_s = 7 * 86400, .cap_quantile = 0.999, .fields = fields,
    .observe = observe, .value = value,
};
static const podium_component revenue = {
    .struct_size = sizeof revenue, .kind = PODIUM_KIND_METRIC, .id = PODIUM_STR("first_revenue"),
    .title = PODIUM_STR("Revenue"), .description = PODIUM_STR("Money per visitor."),
    .config_schema = PODIUM_STR("{\"type\": \"object\", \"additionalProperties\": false}"), .metric = &metric,
    .create = create, .destroy = destroy,
};
static const podium_channel channel = {
    .struct_size = sizeof channel, .provider_class = PODIUM_PROVIDER_KEYED, .key_ttl_s = 3600, .max_batch = 16,
    .max_parallel = 1, .payload_limit = 4096, .render = render, .deliver = deliver,
};
static const podium_component nowhere = {
    .struct_size = sizeof nowhere, .kind = PODIUM_KIND_CHANNEL, .id = PODIUM_STR("first_channel"),
    .title = PODIUM_STR("Nowhere"), .description = PODIUM_STR("Says of every message that it was taken."),
    .config_schema = PODIUM_STR("{\"type\": \"object\", \"additionalProperties\": false}"), .channel = &channel,
    .create = create, .destroy = destroy,
};
static const podium_component *const components[] = {&revenue, &nowhere};
static const podium_plugin plugin = {
    .magic = PODIUM_MAGIC, .abi_major = PODIUM_ABI_MAJOR, .abi_minor = PODIUM_ABI_MINOR,
    .struct_size = sizeof plugin, .n_components = 2, .id = PODIUM_STR("com.example.first"),
    .version = PODIUM_STR("1.0.0"), .build = PODIUM_STR("C"), .components = components, .init = init,
};

const podium_plugin *podium_plugin_entry_v1(void) { return &plugin; }
