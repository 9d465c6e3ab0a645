#include "control/apply/last_applied.h"

#include "control/apply/typed_document.h"
#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "control/schema/validation.h"

namespace minik::control {

namespace {

constexpr std::string_view kAnnotation = "kubectl.kubernetes.io/last-applied-configuration";

Value with_annotations(const Value& object, const Value& annotations) {
  return object.with(keys::kMetadata, object[keys::kMetadata].with(keys::kAnnotations, annotations));
}

}  // namespace

FieldSet still_as_last_applied(const TypeInfo& type, std::string_view api_version, const Value& live) {
  const std::string_view text = live[keys::kMetadata][keys::kAnnotations].get(kAnnotation).as_string();
  const auto last = parse_json(text);
  if (!last || (*last)[keys::kApiVersion].as_string() != api_version) return {};
  const auto fields = field_set_of(type, *last);
  if (!fields) return {};
  const Differences changes = differences(type, *last, live);
  return fields->without(changes.modified).without(changes.added).without(changes.removed);
}

Value with_last_applied(const Value& object, const Value& configuration) {
  const Value& annotations = object[keys::kMetadata][keys::kAnnotations];
  if (annotations.get(kAnnotation).as_string().empty()) return object;
  const Value& given = configuration[keys::kMetadata][keys::kAnnotations];
  const Value bare = given.is_map() ? with_annotations(configuration, given.without(Key(kAnnotation))) : configuration;
  // Ended like every document that kubectl writes there.
  const Value next = annotations.with(Key(kAnnotation), cat(to_json(bare), "\n"));
  size_t bytes = 0;
  for (const auto& [name, value] : next.entries()) bytes += name.text().size() + value.as_string().size();
  return with_annotations(object, bytes > kAnnotationsBytesMax ? annotations.without(Key(kAnnotation)) : next);
}

}  // namespace minik::control
