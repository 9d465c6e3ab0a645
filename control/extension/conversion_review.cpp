#include "control/extension/conversion_review.h"

#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

constexpr std::string_view kVersion = "apiextensions.k8s.io/v1";
constexpr std::string_view kKind = "ConversionReview";

std::string of(const ConversionQuestion& question) {
  return cat("conversion webhook for ", question.from_version, ", Kind=", question.kind);
}

// Kubernetes gives these no reason of its own.
Error wrong(const ConversionQuestion& question, std::string_view what) {
  return Error(ErrorCode::kUnknown, cat(of(question), " ", what));
}

Value with_metadata_of(const Value& converted, const Value& original) {
  MapBuilder metadata(original[keys::kMetadata]);
  for (const auto& key : {keys::kLabels, keys::kAnnotations}) metadata.set(key, converted[keys::kMetadata][key]);
  return converted.with(keys::kMetadata, std::move(metadata).build()).without(keys::kApiVersion).without(keys::kKind);
}

}  // namespace

Error conversion_failure(const ConversionQuestion& question, std::string_view why) {
  return wrong(question, cat("failed: ", why));
}

std::string conversion_body(const ConversionQuestion& question) {
  return to_json(Value::map({{keys::kApiVersion, kVersion},
                             {keys::kKind, kKind},
                             {"request", Value::map({{keys::kUid, question.uid},
                                                     {"desiredAPIVersion", question.to_version},
                                                     {"objects", Value::array(question.objects)}})}}));
}

Result<std::vector<Value>> read_conversion(std::string_view body, const ConversionQuestion& question) {
  const auto document = parse_json(body);
  if (!document) return conversion_failure(question, document.error().message);
  if ((*document)[keys::kApiVersion].as_string() != kVersion || (*document)[keys::kKind].as_string() != kKind) {
    return conversion_failure(question, cat("expected webhook response of ", kVersion, ", Kind=", kKind, ", got ",
                                            (*document)[keys::kApiVersion].as_string(), ", Kind=",
                                            (*document)[keys::kKind].as_string()));
  }
  const Value& response = document->get("response");
  if (!response.is_map()) return conversion_failure(question, "no response provided");
  if (response[keys::kUid].as_string() != question.uid) {
    return conversion_failure(question, cat("expected response.uid=", quoted(question.uid), ", got ",
                                            quoted(response[keys::kUid].as_string())));
  }
  const Value& result = response.get("result");
  if (result[keys::kStatus].as_string() != "Success") {
    const std::string_view message = result[keys::kMessage].as_string();
    return conversion_failure(question, !message.empty() ? std::string(message)
                                                         : cat("response.result.status was '",
                                                               result[keys::kStatus].as_string(), "', not 'Success'"));
  }
  const auto converted = response.get("convertedObjects").items();
  if (converted.size() != question.objects.size()) {
    return wrong(question, cat("returned ", converted.size(), " objects, expected ", question.objects.size()));
  }
  std::vector<Value> objects;
  for (size_t i = 0; i < converted.size(); ++i) {
    const Value &object = converted[i], &original = question.objects[i];
    const auto invalid = [&](std::string_view what) {
      return wrong(question, cat("returned invalid converted object at index ", i, ": ", what));
    };
    const std::string_view version = object[keys::kApiVersion].as_string(), kind = object[keys::kKind].as_string();
    if (version != question.to_version)
      return invalid(cat("invalid groupVersion (expected ", question.to_version, ", received ", version, ")"));
    if (kind != question.kind) return invalid(cat("invalid kind (expected ", question.kind, ", received ", kind, ")"));
    const Value &metadata = object[keys::kMetadata], &expected = original[keys::kMetadata];
    if (!metadata.is_map()) return wrong(question, "returned invalid metadata of type <nil> in converted object");
    for (const auto& key : {keys::kName, keys::kNamespace, keys::kUid}) {
      if (!(metadata[key] == expected[key])) return invalid(cat("must not change metadata.", key.text()));
    }
    objects.push_back(with_metadata_of(object, original));
  }
  return objects;
}

}  // namespace minik::control
