// KindRegistry: the kinds that are defined at run time, beside the built-in ones of a Schema.
//
//   resource "widgets.example.com"   one KindId for good: its table in the store, what controllers watch
//     version v1, version v1beta1    one KindId each for good: what clients ask for
//
// A KindId is given out once and never to anything else. What stands behind it (a Definition) may be
// replaced or withdrawn at any time; definitions are never freed before the registry, so that whoever
// found one may go on reading it, on any thread and without a lock. What is kept grows with each
// different definition, hence kept() finds one that is known already: to install and remove the same
// CustomResourceDefinition for ever costs nothing.
//
// Changed on the control thread, read on any. One for each cluster; it outlives the API server, whose
// CustomResources fills it, and the Schema that reads it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/schema/custom_kind.h"
#include "control/schema/schema.h"

namespace minik::control {

class KindRegistry {
 public:
  // Built-in kinds have the numbers below.
  static constexpr uint16_t kFirst = 512;
  // Resources and versions that were ever there. A cluster with all known operators has some hundreds.
  static constexpr size_t kKindsMax = 8192;

  KindRegistry();
  ~KindRegistry();
  KindRegistry(const KindRegistry&) = delete;
  KindRegistry& operator=(const KindRegistry&) = delete;

  // --- control thread ---
  // The resource itself, whatever its versions. Given out on first use; nothing when there are too many.
  std::optional<KindId> stored(std::string_view group, std::string_view plural);
  std::optional<KindId> served(std::string_view group, std::string_view version, std::string_view plural);
  // Keeps for good what was made of `source`; null when nothing was yet.
  const CustomKind& keep(KindId id, Value source, std::unique_ptr<const CustomKind> kind);
  const CustomKind* kept(KindId id, const Value& source) const;
  void define(KindId id, const ResourceInfo& resource);
  void withdraw(KindId id);

  // --- any thread ---
  const ResourceInfo* find(std::string_view group, std::string_view version, std::string_view plural) const;
  const ResourceInfo* find_kind(std::string_view api_version, std::string_view kind) const;
  // As it was defined last; null for a number that has had no definition yet.
  const ResourceInfo* resource(KindId id) const;
  bool is_served(KindId id) const;
  // What clients may ask for now, in the order in which the numbers were given out.
  std::vector<const ResourceInfo*> served() const;
  // The resources behind it: one for each, in the form of its storage version.
  std::vector<const ResourceInfo*> stored() const;
  // Grows with each change.
  uint64_t generation() const { return generation_.load(); }

 private:
  struct Entry {
    std::string group, version, plural;  // version is empty for the resource itself
    std::atomic<const ResourceInfo*> resource{nullptr};
    std::atomic<bool> served{false};
    std::vector<std::pair<Value, std::unique_ptr<const CustomKind>>> kept;
  };
  std::optional<KindId> id_of(std::string_view group, std::string_view version, std::string_view plural);
  std::vector<const ResourceInfo*> all(bool of_versions) const;
  Entry* entry(KindId id) const;

  // Filled from the front and never shortened; a reader sees the first count_ of them.
  std::array<std::atomic<Entry*>, kKindsMax> entries_{};
  std::atomic<size_t> count_{0};
  std::atomic<uint64_t> generation_{1};
  std::deque<std::unique_ptr<Entry>> owned_;
};

}  // namespace minik::control
