// Patches from clients. The input is two JSON lines: a document and a patch, which is tried as each
// of the three types. Whatever they make must be a document that can be written and read.
#include "control/object/patch.h"

#include <cstdint>
#include <string_view>

#include "control/base/check.h"
#include "control/object/json.h"

namespace {

using namespace minik::control;

// Lists named c merge by name, lists named f as sets.
class Rules : public PatchSchema {
 public:
  PatchRule rule(const void*, const Key& field) const override {
    if (field.text() == "c") return {true, false, "name", this};
    if (field.text() == "f") return {true, false, {}, nullptr};
    return {false, false, {}, this};
  }
};

void check(const Value& document) {
  const std::string text = to_json(document);
  CHECK(text.size() < 64 * 1024 * 1024);
  (void)document.hash();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t line = text.find('\n');
  if (line == std::string_view::npos) return 0;
  const auto document = parse_json(text.substr(0, line));
  const auto patch = parse_json(text.substr(line + 1));
  if (!document || !patch) return 0;
  if (const auto patched = apply_json_patch(*document, *patch)) check(*patched);
  check(apply_merge_patch(*document, *patch));
  const Rules rules;
  if (const auto patched = apply_strategic_merge_patch(*document, *patch, rules, &rules))
    check(*patched);
  if (document->is_map() && patch->is_map()) {
    const Value from = apply_merge_patch(Value::empty_map(), *document);
    const Value to = apply_merge_patch(Value::empty_map(), *patch);  // without nulls
    const Value difference = make_merge_patch(from, to);
    CHECK(apply_merge_patch(from, difference) == to) << to_json(difference);
  }
  return 0;
}
