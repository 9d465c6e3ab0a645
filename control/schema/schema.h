// Schema: every kind that the API serves, as data. Types with their fields, defaults, patch and list
// keys; resources with their names, verbs and subresources. Decoding, defaulting, validation, patches,
// discovery, OpenAPI and tables all read this one description.
//
// The built-in part is compiled from control/schema/*.yaml into constant tables, so that reading it
// costs nothing at start. Immutable after construction, hence safe on any thread.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/object/object_ref.h"
#include "control/object/value.h"

namespace minik::control {

enum class BaseType : uint8_t {
  kString,
  kInt32,
  kInt64,
  kBool,
  kDouble,
  kBytes,        // base64 text
  kQuantity,     // "100m": string on the wire, a number is accepted
  kIntOrString,
  kTime,         // RFC 3339, whole seconds
  kMicroTime,
  kAny,          // free-form: kept as it is
  kObject,
};

enum class Shape : uint8_t { kSingle, kList, kMap };
enum class ListType : uint8_t { kNone, kAtomic, kSet, kMap };

struct TypeInfo;

struct FieldInfo {
  Key key;
  std::string_view name;
  Shape shape;
  BaseType base;
  const TypeInfo* type;  // of the element, for kObject
  bool required;
  bool patch_merge;         // strategic merge: lists merge by merge_key (or as sets of scalars)
  bool patch_retain_keys;
  std::string_view merge_key;
  ListType list_type;
  std::string_view list_keys[2];
  bool atomic_map;
  Value default_value;  // absent: none
  std::span<const std::string_view> enum_values;
};

struct TypeInfo {
  std::string_view package;  // "core"
  std::string_view name;     // "PodSpec"
  bool atomic;               // replaced as a whole by server-side apply
  std::vector<FieldInfo> fields;  // sorted by name

  const FieldInfo* field(const Key& key) const;
};

struct SubresourceInfo {
  std::string_view name;
  std::string_view kind;  // "Scale"
  const TypeInfo* type;   // null for connect options that are only query parameters
  std::string_view verbs;
};

struct ResourceInfo {
  KindId id;
  std::string_view group, version, plural, singular, kind;
  bool namespaced;
  std::string_view verbs, short_names, categories;  // separated by spaces
  const TypeInfo* type;
  std::vector<SubresourceInfo> subresources;
  // "apps/v1", "v1": one static string a resource.
  std::string api_version;

  bool has_verb(std::string_view verb) const;
  const SubresourceInfo* subresource(std::string_view name) const;
  // "deployments.apps", "pods": how messages name the resource.
  std::string group_resource() const;
  // "Deployment.apps", "Pod": how Invalid messages name the kind.
  std::string group_kind() const;
};

class Schema {
 public:
  Schema();
  Schema(const Schema&) = delete;
  Schema& operator=(const Schema&) = delete;
  static const Schema& builtin();

  const ResourceInfo* find(std::string_view group, std::string_view version,
                           std::string_view plural) const;
  const ResourceInfo* find_kind(std::string_view api_version, std::string_view kind) const;
  // CHECKs that the id was given out.
  const ResourceInfo& resource(KindId id) const;
  std::span<const ResourceInfo> resources() const { return resources_; }
  const TypeInfo* find_type(std::string_view package, std::string_view name) const;

 private:
  std::vector<TypeInfo> types_;
  std::vector<ResourceInfo> resources_;  // [id - 1]
  std::map<std::string, const ResourceInfo*, std::less<>> by_path_;
  std::map<std::string, const ResourceInfo*, std::less<>> by_kind_;
};

}  // namespace minik::control
