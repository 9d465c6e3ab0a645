// Selectors of query parameters. The canonical text of a selector must be a selector with the same
// text.
#include "control/object/selector.h"

#include <cstdint>

#include "control/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace minik::control;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static const Value labels = Value::map({{"app", "web"}, {"tier", "9"}});
  if (const auto selector = LabelSelector::parse(text)) {
    const std::string canonical = selector->text();
    const auto again = LabelSelector::parse(canonical);
    CHECK(again.ok()) << canonical;
    CHECK(again->text() == canonical) << canonical << " became " << again->text();
    CHECK(again->matches(labels) == selector->matches(labels)) << canonical;
  }
  if (const auto selector = FieldSelector::parse(text)) (void)selector->matches(labels);
  return 0;
}
