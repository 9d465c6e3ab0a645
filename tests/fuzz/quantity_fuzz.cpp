// Quantities in manifests. The canonical text must mean the same amount and be its own canonical
// text.
#include "control/object/quantity.h"

#include <cstdint>

#include "control/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using minik::control::Quantity;
  const auto quantity = Quantity::parse({reinterpret_cast<const char*>(data), size});
  if (!quantity) return 0;
  const std::string text = quantity->text();
  const auto again = Quantity::parse(text);
  CHECK(again.ok()) << text;
  CHECK(*again == *quantity) << text;
  CHECK(again->text() == text) << text << " became " << again->text();
  (void)quantity->units();
  (void)quantity->milli();
  return 0;
}
