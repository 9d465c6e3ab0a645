#include "control/schema/schema.h"

#include <algorithm>

#include "control/base/check.h"
#include "control/base/text.h"
#include "control/object/json.h"
#include "control/schema/defaults.h"
#include "control/schema/kind_registry.h"
#include "control/schema/validation_rules.h"

namespace minik::control {

namespace {

// The rows of tables.inc. Types are named by their index, -1 for none.
struct FieldRow {
  std::string_view name;
  Shape shape;
  BaseType base;
  int type;
  bool required, zero_kept, merge, retain_keys;
  std::string_view merge_key;
  ListType list_type;
  std::string_view list_keys[3];
  bool atomic_map;
  std::string_view default_json;
  uint32_t enum_first, enum_count;
  std::optional<int64_t> min, max;
  bool empty_allowed;
  std::string_view text, go_name;
};

struct TypeRow {
  std::string_view package, name, openapi, group, version, text;
  uint32_t field_first, field_count;
  bool atomic;
};

struct SubresourceRow {
  std::string_view name, kind, group, version;
  int type;
  std::string_view verbs;
};

struct ResourceRow {
  std::string_view group, version, plural, singular, kind;
  bool namespaced;
  std::string_view verbs, short_names, categories, selectable;
  int type;
  uint32_t sub_first, sub_count;
};

#include "control/schema/tables.inc"

bool has_word(std::string_view words, std::string_view word) {
  for (const auto w : split(words, ' ')) {
    if (w == word) return true;
  }
  return false;
}

std::string api_version_of(std::string_view group, std::string_view version) {
  return group.empty() ? std::string(version) : cat(group, "/", version);
}

// Marks every type with a default somewhere below it: round by round until nothing is new, because
// the types may be recursive.
void mark_defaults(std::deque<TypeInfo>& types) {
  for (bool changed = true; changed;) {
    changed = false;
    for (auto& type : types) {
      if (type.has_defaults) continue;
      for (const auto& field : type.fields) {
        if (!field.default_value.is_absent() || (field.type && field.type->has_defaults)) {
          type.has_defaults = changed = true;
          break;
        }
      }
    }
  }
}

}  // namespace

const FieldInfo* TypeInfo::field(const Key& key) const {
  const auto found = std::lower_bound(fields.begin(), fields.end(), key,
                                      [](const FieldInfo& f, const Key& k) { return f.key < k; });
  return found != fields.end() && found->key == key ? &*found : nullptr;
}

bool SubresourceInfo::has_verb(std::string_view verb) const {
  return has_word(verbs, verb);
}

bool ResourceInfo::has_verb(std::string_view verb) const {
  return has_word(verbs, verb);
}

const SubresourceInfo* ResourceInfo::subresource(std::string_view name) const {
  const auto found = std::ranges::find(subresources, name, &SubresourceInfo::name);
  return found == subresources.end() ? nullptr : &*found;
}

std::string ResourceInfo::group_resource() const {
  return group.empty() ? std::string(plural) : cat(plural, ".", group);
}

std::string ResourceInfo::group_kind() const {
  return group.empty() ? std::string(kind) : cat(kind, ".", group);
}

Schema::Schema(KindRegistry* custom) : custom_(custom) {
  static_assert(std::size(kResources) < KindRegistry::kFirst);
  types_.resize(std::size(kTypes));
  const auto type_at = [&](int index) {
    return index < 0 ? nullptr : &types_[static_cast<size_t>(index)];
  };
  for (size_t i = 0; i < types_.size(); ++i) {
    const TypeRow& row = kTypes[i];
    TypeInfo& type = types_[i];
    type.package = row.package;
    type.name = row.name;
    type.openapi = row.openapi;
    if (!row.version.empty()) type.api_version = api_version_of(row.group, row.version);
    type.text = row.text;
    type.atomic = row.atomic;
    type.complete = complete_rule(row.package, row.name);
    type.check = check_rule(row.package, row.name);
    type.has_defaults = type.complete != nullptr;
    type.fields.reserve(row.field_count);
    for (uint32_t f = row.field_first; f < row.field_first + row.field_count; ++f) {
      const FieldRow& r = kFields[f];
      Value default_value;
      if (!r.default_json.empty()) default_value = *parse_json(r.default_json);
      type.fields.push_back({Key(r.name),
                             r.name,
                             r.shape,
                             r.base,
                             type_at(r.type),
                             r.required,
                             r.zero_kept,
                             r.merge,
                             r.retain_keys,
                             r.merge_key,
                             r.list_type,
                             {r.list_keys[0], r.list_keys[1], r.list_keys[2]},
                             r.atomic_map,
                             std::move(default_value),
                             std::span(kEnums + r.enum_first, r.enum_count),
                             r.min,
                             r.max,
                             r.empty_allowed,
                             r.text, r.go_name});
    }
    by_name_[cat(type.package, ".", type.name)] = &type;
    if (!type.api_version.empty()) documents_[cat(type.api_version, "/", type.name)] = &type;
  }
  mark_defaults(types_);
  for (const ResourceRow& row : kResources) {
    ResourceInfo info{KindId{static_cast<uint16_t>(resources_.size() + 1)},
                      row.group,
                      row.version,
                      row.plural,
                      row.singular,
                      row.kind,
                      row.namespaced,
                      row.verbs,
                      row.short_names,
                      row.categories,
                      row.selectable,
                      type_at(row.type),
                      {},
                      api_version_of(row.group, row.version)};
    for (uint32_t s = row.sub_first; s < row.sub_first + row.sub_count; ++s) {
      const SubresourceRow& sub = kSubresources[s];
      info.subresources.push_back(
          {sub.name, sub.kind, sub.group, sub.version, type_at(sub.type), sub.verbs});
    }
    resources_.push_back(std::move(info));
  }
  for (const auto& resource : resources_) {
    by_path_[cat(resource.group, "/", resource.version, "/", resource.plural)] = &resource;
    by_kind_[cat(resource.api_version, "/", resource.kind)] = &resource;
  }
}

const Schema& Schema::builtin() {
  static const Schema schema;
  return schema;
}

const ResourceInfo* Schema::find(std::string_view group, std::string_view version,
                                 std::string_view plural) const {
  const auto found = by_path_.find(cat(group, "/", version, "/", plural));
  if (found != by_path_.end()) return found->second;
  return custom_ ? custom_->find(group, version, plural) : nullptr;
}

const ResourceInfo* Schema::find_kind(std::string_view api_version, std::string_view kind) const {
  const auto found = by_kind_.find(cat(api_version, "/", kind));
  if (found != by_kind_.end()) return found->second;
  return custom_ ? custom_->find_kind(api_version, kind) : nullptr;
}

const ResourceInfo& Schema::resource(KindId id) const {
  if (id.value >= 1 && id.value <= resources_.size()) return resources_[id.value - size_t{1}];
  const ResourceInfo* custom = custom_ ? custom_->resource(id) : nullptr;
  CHECK(custom != nullptr) << "kind " << id.value;
  return *custom;
}

std::vector<const ResourceInfo*> Schema::served() const {
  std::vector<const ResourceInfo*> all;
  for (const auto& resource : resources_) all.push_back(&resource);
  if (custom_) {
    for (const auto* resource : custom_->served()) all.push_back(resource);
  }
  return all;
}

bool Schema::is_served(KindId id) const {
  return id.value <= resources_.size() || (custom_ && custom_->is_served(id));
}

const TypeInfo* Schema::find_type(std::string_view package, std::string_view name) const {
  const auto found = by_name_.find(cat(package, ".", name));
  return found == by_name_.end() ? nullptr : found->second;
}

const TypeInfo* Schema::find_document(std::string_view api_version, std::string_view kind) const {
  const auto found = documents_.find(cat(api_version, "/", kind));
  return found == documents_.end() ? nullptr : found->second;
}

PatchRule SchemaPatchRules::rule(const void* type, const Key& field) const {
  const FieldInfo* info = type ? static_cast<const TypeInfo*>(type)->field(field) : nullptr;
  if (info == nullptr) return {};
  return {info->patch_merge, info->patch_retain_keys, info->merge_key, info->type};
}

}  // namespace minik::control
