// metadata.managedFields from clients: any document as FieldsV1. What is taken must come back the same and
// keep the laws of sets.
#include <cstdint>
#include <string_view>

#include "control/apply/field_set.h"
#include "control/base/check.h"
#include "control/object/json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace minik::control;
  const auto document = parse_json({reinterpret_cast<const char*>(data), size});
  if (!document) return 0;
  const auto set = FieldSet::from_fields_v1(*document);
  if (!set) return 0;
  const auto again = FieldSet::from_fields_v1(set->to_fields_v1());
  CHECK(again.ok() && again->paths() == set->paths());
  CHECK(set->without(*set).paths().empty());
  CHECK(set->united(*again).paths() == set->paths());
  CHECK(set->intersected(*again).paths() == set->paths());
  return 0;
}
