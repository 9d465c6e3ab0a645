// Schema: every kind that the API serves, as data. Types with their fields, defaults, patch and
// list keys; resources with their names, verbs and subresources. Decoding, defaulting, validation,
// patches, discovery, OpenAPI and tables all read this one description.
//
// The built-in part is compiled from control/schema/*.yaml into constant tables, and made into what
// stands here in well under a millisecond; it never changes after construction. Kinds that are
// defined at run time come from the KindRegistry of the cluster (kind_registry.h), which a Schema may
// be given: they have KindIds after the built-in ones and bring a ResourceInfo and TypeInfos of their
// own, and no reader asks where these came from. Any thread may read; pointers and references that
// are handed out live as long as the Schema and its registry do.
//
// Lookups answer nullptr for what is not there; a KindId that was never given out is a CHECK.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/object/object_ref.h"
#include "control/object/patch.h"
#include "control/object/value.h"

namespace minik::control {

enum class BaseType : uint8_t {
  kString,
  kInt32,
  kInt64,
  kBool,
  kDouble,
  kBytes,     // base64 text
  kQuantity,  // "100m": string on the wire, a number is accepted
  kIntOrString,
  kTime,  // RFC 3339, whole seconds
  kMicroTime,
  kAny,  // free-form: kept as it is
  kObject,
};

// Of a field: one value, a list of them, a map from strings, or a map from strings to lists.
enum class Shape : uint8_t { kSingle, kList, kMap, kMapOfLists };
enum class ListType : uint8_t { kNone, kAtomic, kSet, kMap };

struct TypeInfo;
// Fills in what depends on several fields of an object (defaults.h).
using CompleteRule = Value (*)(const Value& object);
// Complains where several fields of an object do not agree (validation.h).
class FieldPath;
class FieldErrors;
using CheckRule = void (*)(const Value& object, const FieldPath& at, FieldErrors& errors);

struct FieldInfo {
  Key key;
  std::string_view name;
  Shape shape;
  BaseType base;         // of the element
  const TypeInfo* type;  // of the element, for kObject
  bool required;
  bool zero_kept;    // an explicit 0, false, "" is not the same as an absent field
  bool patch_merge;  // strategic merge: lists merge by merge_key (or as sets of scalars)
  bool patch_retain_keys;
  std::string_view merge_key;
  ListType list_type;
  std::string_view list_keys[3];  // of kMap lists; empty from the first unused one on
  bool atomic_map;
  Value default_value;  // absent: none
  std::span<const std::string_view> enum_values;
  std::optional<int64_t> min, max;
  bool empty_allowed;        // required, but "" will do
  std::string_view text;     // one line for `kubectl explain`, or empty
  std::string_view go_name;  // "Protocol": the server's own name of a text type, for its messages
};

struct TypeInfo {
  std::string_view package;  // "core"
  std::string_view name;     // "PodSpec"
  std::string_view openapi;  // "io.k8s.api.core.v1": the definition is openapi + "." + name
  std::string api_version;   // "apps/v1" when documents of this type stand alone, else empty
  std::string_view text;     // one line for `kubectl explain`, or empty
  bool atomic;               // replaced as a whole by server-side apply
  // Something in here has a default; elsewhere defaulting need not look.
  bool has_defaults;
  CompleteRule complete;          // null: no default of this type depends on its other fields
  CheckRule check;                // null: the schema says all that validation wants to know
  std::vector<FieldInfo> fields;  // sorted by name

  const FieldInfo* field(const Key& key) const;
};

class CustomKind;    // custom_kind.h
class KindRegistry;  // kind_registry.h

struct SubresourceInfo {
  std::string_view name;
  std::string_view kind;            // "Scale"
  std::string_view group, version;  // of that kind: "autoscaling", "v1"
  const TypeInfo* type;             // null for connect options that are only query parameters
  std::string_view verbs;

  bool has_verb(std::string_view verb) const;
};

struct ResourceInfo {
  KindId id;
  std::string_view group, version, plural, singular, kind;
  bool namespaced;
  std::string_view verbs, short_names, categories;  // separated by spaces
  std::string_view selectable_fields;               // besides metadata.name and metadata.namespace
  const TypeInfo* type;
  std::vector<SubresourceInfo> subresources;
  // "apps/v1", "v1".
  std::string api_version;
  // Of a kind that is defined at run time: how its objects are read, judged and shown. Else null.
  const CustomKind* custom = nullptr;
  // The kind under which the store has the objects, where that is another one: a custom resource has
  // a kind for each served version and one for itself.
  KindId storage = {};

  KindId stored_as() const { return storage.value != 0 ? storage : id; }
  bool has_verb(std::string_view verb) const;
  const SubresourceInfo* subresource(std::string_view name) const;
  // "deployments.apps", "pods": how messages name the resource.
  std::string group_resource() const;
  // "Deployment.apps", "Pod": how Invalid messages name the kind.
  std::string group_kind() const;
};

class Schema {
 public:
  Schema() : Schema(nullptr) {}
  // With the kinds that the registry has at each moment; it outlives the Schema.
  explicit Schema(KindRegistry& custom) : Schema(&custom) {}
  Schema(const Schema&) = delete;
  Schema& operator=(const Schema&) = delete;
  static const Schema& builtin();

  const ResourceInfo* find(std::string_view group, std::string_view version,
                           std::string_view plural) const;
  const ResourceInfo* find_kind(std::string_view api_version, std::string_view kind) const;
  // Also of a custom kind that is served no more, as it was last.
  const ResourceInfo& resource(KindId id) const;
  // The built-in ones.
  const std::deque<ResourceInfo>& resources() const { return resources_; }
  // The built-in ones and what the registry serves now.
  std::vector<const ResourceInfo*> served() const;
  bool is_served(KindId id) const;
  // Null for a schema of built-in kinds alone.
  KindRegistry* registry() const { return custom_; }
  const TypeInfo* find_type(std::string_view package, std::string_view name) const;
  // Any document that stands alone, served or not: Deployment, Scale, DeleteOptions.
  const TypeInfo* find_document(std::string_view api_version, std::string_view kind) const;
  const std::deque<TypeInfo>& types() const { return types_; }

 private:
  explicit Schema(KindRegistry* custom);

  KindRegistry* custom_;
  std::deque<TypeInfo> types_;
  std::deque<ResourceInfo> resources_;  // [id - 1]
  std::map<std::string, const ResourceInfo*, std::less<>> by_path_;
  std::map<std::string, const ResourceInfo*, std::less<>> by_kind_;
  std::map<std::string, const TypeInfo*, std::less<>> documents_;
  std::map<std::string, const TypeInfo*, std::less<>> by_name_;
};

// What apply_strategic_merge_patch asks, answered from TypeInfos: pass a `const TypeInfo*` as its
// type.
class SchemaPatchRules final : public PatchSchema {
 public:
  PatchRule rule(const void* type, const Key& field) const override;
};

}  // namespace minik::control
