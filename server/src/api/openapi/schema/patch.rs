//! Merge patches (RFC 7396): nothing is required, and null takes a member away.

use super::allocator::AllocatorChange;
use super::experiment::{Definition, ExclusionGroupFields, MetricFields};
use super::{add, by_hand, closed, object_of, one_of, plain, reference};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{Object, OneOfBuilder, Schema, SchemaType, Type};

/// What changes in an allocator.
struct AllocatorPatch;

by_hand!(AllocatorPatch, merge_patch(object_of::<AllocatorChange>(), &[]).into(), AllocatorChange::schemas);

/// What changes in a share of a group.
struct ExclusionGroupPatch;

by_hand!(
    ExclusionGroupPatch,
    merge_patch(object_of::<ExclusionGroupFields>(), &["key", "share"]).into(),
    ExclusionGroupFields::schemas
);

/// What changes in the choice of a metric.
struct MetricPatch;

by_hand!(
    MetricPatch,
    one_of(
        "Another metric by its id, or what changes in the choice.",
        [
            plain(Type::String).examples(["conversion"]).into(),
            merge_patch(object_of::<MetricFields>(), &["metric"]).into(),
        ],
    ),
    MetricFields::schemas
);

/// What changes in the definition of an experiment.
pub(in crate::api::openapi) struct ExperimentPatch;

by_hand!(ExperimentPatch, experiment_patch().into(), |schemas| {
    Definition::schemas(schemas);
    add::<AllocatorPatch>(schemas);
    add::<ExclusionGroupPatch>(schemas);
    add::<MetricPatch>(schemas);
});

fn experiment_patch() -> Object {
    let mut object = merge_patch(object_of::<Definition>(), &["variants", "primary_metric"]);
    object.description = Some(
        "A JSON merge patch over the definition: what is absent stays, null takes a member away, lists are replaced \
         whole."
            .to_owned(),
    );
    for (name, schema) in [
        ("allocator", or_null(reference::<AllocatorPatch>())),
        ("exclusion_group", or_null(reference::<ExclusionGroupPatch>())),
        ("primary_metric", reference::<MetricPatch>()),
    ] {
        object.properties.insert(name.to_owned(), schema);
    }
    object
}

/// The merge patch over an object.
///
/// - `stay`: members without a default, which can be changed but not taken away.
fn merge_patch(object: Object, stay: &[&str]) -> Object {
    let mut patch = closed(object);
    patch.required.clear();
    for (name, schema) in &mut patch.properties {
        if !stay.contains(&name.as_str()) {
            *schema = or_null(without_default(schema.clone()));
        }
    }
    patch
}

fn without_default(schema: RefOr<Schema>) -> RefOr<Schema> {
    match schema {
        RefOr::T(Schema::Object(mut object)) => {
            object.default = None;
            object.into()
        }
        RefOr::Ref(mut reference) => {
            reference.default = None;
            reference.into()
        }
        RefOr::T(other) => RefOr::T(other),
    }
}

fn or_null(schema: RefOr<Schema>) -> RefOr<Schema> {
    match schema {
        RefOr::T(Schema::Object(mut object)) => {
            object.schema_type = nullable(object.schema_type);
            object.into()
        }
        RefOr::T(Schema::Array(mut array)) => {
            array.schema_type = nullable(array.schema_type);
            array.into()
        }
        RefOr::T(Schema::OneOf(one_of)) if one_of.items.iter().any(is_null) => {
            RefOr::T(Schema::OneOf(one_of))
        }
        other => OneOfBuilder::new().item(plain(Type::Null)).item(other).into(),
    }
}

fn is_null(schema: &RefOr<Schema>) -> bool {
    matches!(schema, RefOr::T(Schema::Object(object)) if object.schema_type == SchemaType::Type(Type::Null))
}

fn nullable(schema_type: SchemaType) -> SchemaType {
    match schema_type {
        SchemaType::Type(Type::Null) => SchemaType::Type(Type::Null),
        SchemaType::Type(one) => SchemaType::Array(vec![one, Type::Null]),
        SchemaType::Array(types) if types.contains(&Type::Null) => SchemaType::Array(types),
        SchemaType::Array(mut types) => {
            types.push(Type::Null);
            SchemaType::Array(types)
        }
        SchemaType::AnyValue => SchemaType::AnyValue,
    }
}
