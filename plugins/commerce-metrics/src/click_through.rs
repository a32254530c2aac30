//! Click-through: who clicked at all.

use crate::bit;
use podium_plugin::prelude::*;

/// Which clicks count.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// The events that are clicks.
    #[schemars(length(min = 1, max = 16), inner(length(min = 1)))]
    events: Vec<String>,
    /// Counts only clicks whose property has one of the texts; every click if absent.
    filter: Option<Filter>,
}

/// A property and the texts that make it count.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Filter {
    /// The property: `product_id`, `promotion_id`, `list_id`, or `context.page.path`.
    #[schemars(length(min = 1))]
    property: String,
    /// How the text is compared.
    #[serde(default)]
    compare: Compare,
    /// The texts, of which one must fit. Upper and lower case differ.
    #[schemars(length(min = 1))]
    any_of: Vec<String>,
}

/// How a text is compared.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Compare {
    /// The property is the text.
    #[default]
    Equals,
    /// The property starts with the text.
    StartsWith,
    /// The property has the text in it.
    Contains,
}

impl Default for Settings {
    fn default() -> Self {
        Self { events: vec!["Product Clicked".into(), "Promotion Clicked".into()], filter: None }
    }
}

impl Filter {
    fn matches(&self, text: &str) -> bool {
        self.any_of.iter().any(|wanted| match self.compare {
            Compare::Equals => text == wanted,
            Compare::StartsWith => text.starts_with(wanted.as_str()),
            Compare::Contains => text.contains(wanted.as_str()),
        })
    }

    fn check(&self) -> Result<()> {
        if self.property.trim().is_empty() {
            return Err(Error::config("`filter.property` is empty; name a property, such as `promotion_id`"));
        }
        if self.any_of.is_empty() || self.any_of.iter().any(String::is_empty) {
            return Err(Error::config("`filter.any_of` needs at least one text, and none may be empty"));
        }
        Ok(())
    }
}

pub(crate) struct ClickThrough(Settings);

const FILTERED: usize = 0;
const EVENTS_MAX: usize = 16;

impl Metric for ClickThrough {
    type Config = Settings;
    type Sums = [f64; 1]; // clicks

    const INFO: MetricInfo = MetricInfo::proportion("click_through", "Click-through")
        .description("The share of visitors who clicked at least once on what was offered.")
        .window_days(1);

    fn create(settings: Settings) -> Result<Self> {
        let events = &settings.events;
        if events.is_empty()
            || events.len() > EVENTS_MAX
            || events.iter().any(|event| event.trim().is_empty())
        {
            return Err(Error::config("`events` needs 1 to 16 event names, such as `Product Clicked`"));
        }
        if let Some(twice) = events.iter().enumerate().find(|(idx, event)| events[..*idx].contains(event)) {
            return Err(Error::config(format!("`events` has {:?} twice", twice.1)));
        }
        settings.filter.as_ref().map_or(Ok(()), Filter::check)?;
        Ok(Self(settings))
    }

    fn fields(&self) -> Fields {
        let Settings { events, filter } = &self.0;
        let fields = Fields::new();
        match filter {
            None => events.iter().fold(fields, |fields, event| fields.read(Read::event(event))),
            Some(Filter { property, .. }) => {
                let fields = fields.column("filtered", Column::Text);
                let read = |event| Read::event(event).property("filtered", property);
                events.iter().fold(fields, |fields, event| fields.read(read(event)))
            }
        }
    }

    fn observe(&self, click: &Event<'_>) -> [f64; 1] {
        let counts = |filter: &Filter| click.text(FILTERED).is_some_and(|text| filter.matches(text));
        [bit(self.0.filter.as_ref().is_none_or(counts))]
    }

    fn value(&self, [clicks]: [f64; 1]) -> (f64, f64) {
        (bit(clicks > 0.0), 1.0)
    }
}
