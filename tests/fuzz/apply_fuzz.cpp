// Configurations for server-side apply and strategic merge patches, through the schema of the kind that they name.
// The input is two JSON lines: an object as somebody made it, and what somebody else applies or patches over it.
#include <cstdint>
#include <string_view>

#include "control/apply/last_applied.h"
#include "control/apply/managed_fields.h"
#include "control/base/check.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "control/schema/decode.h"
#include "control/schema/schema.h"

namespace {

using namespace minik::control;

constexpr minik::WallTime kNow{1'800'000'000'000'000'000};

void check_apply(const ResourceInfo& resource, const Value& made, const Value& config) {
  const auto live = apply_configuration(resource, Value(), made, {"first", "", kNow}, false);
  if (!live) return;
  // Who reads the annotation of the object, whatever it holds.
  const FieldWriter second{std::string(kLastAppliedManager), "", kNow};
  const auto gentle = apply_configuration(resource, live->object, config, second, false);
  const auto forced = apply_configuration(resource, live->object, config, second, true);
  if (!forced) return;
  CHECK(!gentle || gentle->object == forced->object) << "force matters only where there is a conflict";
  // What was applied may be applied again and changes nothing.
  const auto again = apply_configuration(resource, forced->object, config, second, false);
  CHECK(again.ok()) << again.error().message;
  CHECK(!again->changed) << to_json(forced->object) << "\n" << to_json(again->object);
  CHECK(parse_json(to_json(forced->object)).ok());
  const Value noted = with_last_applied(forced->object, config);
  CHECK(with_last_applied(noted, config) == noted) << to_json(noted);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t line = text.find('\n');
  if (line == std::string_view::npos) return 0;
  const auto document = parse_json(text.substr(0, line));
  const auto patch = parse_json(text.substr(line + 1));
  if (!document || !patch || !document->is_map() || !patch->is_map()) return 0;
  const Schema& schema = Schema::builtin();
  const ResourceInfo* resource =
      schema.find_kind(document->get("apiVersion").as_string(), document->get("kind").as_string());
  if (resource == nullptr || !resource->type) resource = schema.find("", "v1", "pods");
  const auto made = decode(*resource->type, document->without(keys::kApiVersion).without(keys::kKind));
  if (!made) return 0;
  const SchemaPatchRules rules;
  if (const auto patched = apply_strategic_merge_patch(made->object, *patch, rules, resource->type)) {
    CHECK(to_json(*patched).size() < 64 * 1024 * 1024);
    (void)decode(*resource->type, *patched);
  }
  const auto config = decode(*resource->type, patch->without(keys::kApiVersion).without(keys::kKind));
  if (config && !config->object[keys::kMetadata][keys::kManagedFields].has_value()) {
    check_apply(*resource, made->object.with_at({keys::kMetadata, keys::kManagedFields}, Value()), config->object);
  }
  return 0;
}
