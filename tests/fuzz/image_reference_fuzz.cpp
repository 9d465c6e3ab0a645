// What is accepted as an image reference is stable, and safe in a path and a URL.
#include <cstddef>
#include <cstdint>

#include "control/base/check.h"
#include "runtime/image/reference.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto reference = minik::runtime::parse_reference(text);
  if (!reference) return 0;
  const std::string whole = reference->text();
  CHECK(whole.find("..") == std::string::npos || !reference->tag.empty()) << whole;
  CHECK(reference->path.find("..") == std::string::npos) << whole;
  for (const char c : whole) CHECK(c > ' ' && c < 0x7f) << whole;
  const auto again = minik::runtime::parse_reference(whole);
  CHECK(again.ok() && *again == *reference) << whole;
  const auto familiar = minik::runtime::parse_reference(reference->familiar());
  CHECK(familiar.ok() && *familiar == *reference) << whole;
  return 0;
}
