// JSON bodies of requests. What is read must come back the same from both written forms.
#include "control/object/json.h"

#include <cstdint>
#include <string>
#include <vector>

#include "control/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace minik::control;
  std::vector<std::string> duplicates;
  const auto value = parse_json({reinterpret_cast<const char*>(data), size}, &duplicates);
  if (!value) return 0;
  // Texts are compared: a double without a fraction comes back as an integer.
  const std::string text = to_json(*value);
  const auto again = parse_json(text);
  CHECK(again.ok()) << text;
  CHECK(to_json(*again) == text) << text;
  const auto pretty = parse_json(to_pretty_json(*value));
  CHECK(pretty.ok() && to_json(*pretty) == text) << text;
  CHECK(again->hash() == pretty->hash() && *again == *pretty);
  return 0;
}
