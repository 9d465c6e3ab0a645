// What admission and conversion webhooks answer: an answer that is taken belongs to the question, and a converted object
// is the one that was sent but for what a webhook may change.
#include <cstdint>
#include <string_view>

#include "control/admission/review.h"
#include "control/base/check.h"
#include "control/extension/conversion_review.h"
#include "control/object/json.h"
#include "control/object/keys.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace minik::control;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  if (const auto answer = read_review(body, "u")) {
    CHECK(answer->patch.is_absent() || answer->patch.is_array()) << answer->patch.is_map();
  }
  static const Value sent = *minik::control::parse_json(
      R"({"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"a","namespace":"b","uid":"c","labels":{"d":"e"}}})");
  const ConversionQuestion question{"u", "Widget", "example.com/v1", "example.com/v2", {sent}};
  const auto converted = read_conversion(body, question);
  if (!converted) {
    CHECK(converted.error().message.starts_with("conversion webhook for example.com/v1, Kind=Widget")) << converted.error().message;
    return 0;
  }
  CHECK(converted->size() == 1) << converted->size();
  for (const auto& key : {keys::kName, keys::kNamespace, keys::kUid}) {
    CHECK(converted->front()[keys::kMetadata][key] == sent[keys::kMetadata][key]) << key.text();
  }
  return 0;
}
