// Documents as clients may send them, through everything that the schema does to them: decoding,
// defaults, validation, table rows. Each step must be a fixed point of itself, because objects come
// back from clients that have read them.
#include <cstdint>
#include <string_view>

#include "control/base/check.h"
#include "control/object/json.h"
#include "control/schema/decode.h"
#include "control/schema/defaults.h"
#include "control/schema/table.h"
#include "control/schema/validation.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace minik::control;
  const auto document = parse_json({reinterpret_cast<const char*>(data), size});
  if (!document) return 0;
  const auto& schema = Schema::builtin();
  const ResourceInfo* resource =
      schema.find_kind(document->get("apiVersion").as_string(), document->get("kind").as_string());
  if (resource == nullptr) resource = schema.find("", "v1", "pods");
  const auto decoded = decode(*resource->type, *document);
  if (!decoded) return 0;
  const Value completed = apply_defaults(*resource->type, decoded->object);
  CHECK(apply_defaults(*resource->type, completed) == completed) << to_json(completed);
  const auto again = decode(*resource->type, completed);
  CHECK(again && again->unknown_fields.empty()) << to_json(completed);
  CHECK(again->object == completed) << to_json(completed) << " " << to_json(again->object);
  const FieldErrors errors = check_object(*resource, completed);
  CHECK(errors.empty() || !errors.to_error(*resource, "fuzz").causes.empty());
  const FieldErrors changes = check_change(*resource, completed, decoded->object);
  (void)changes;
  table_cells(*resource, completed, minik::WallTime{1'800'000'000'000'000'000});
  return 0;
}
