#include "control/schema/kind_registry.h"

#include "control/base/check.h"

namespace minik::control {

KindRegistry::KindRegistry() = default;
KindRegistry::~KindRegistry() = default;

KindRegistry::Entry* KindRegistry::entry(KindId id) const {
  const size_t index = size_t{id.value} - kFirst;
  return id.value >= kFirst && index < count_.load() ? entries_[index].load() : nullptr;
}

std::optional<KindId> KindRegistry::id_of(std::string_view group, std::string_view version,
                                          std::string_view plural) {
  const size_t count = count_.load();
  for (size_t i = 0; i < count; ++i) {
    const Entry& e = *entries_[i].load();
    if (e.plural == plural && e.group == group && e.version == version) {
      return KindId{static_cast<uint16_t>(kFirst + i)};
    }
  }
  if (count == kKindsMax) return std::nullopt;
  owned_.push_back(std::make_unique<Entry>());
  Entry& fresh = *owned_.back();
  fresh.group = group;
  fresh.version = version;
  fresh.plural = plural;
  entries_[count].store(&fresh);
  count_.store(count + 1);
  return KindId{static_cast<uint16_t>(kFirst + count)};
}

std::optional<KindId> KindRegistry::stored(std::string_view group, std::string_view plural) {
  return id_of(group, {}, plural);
}

std::optional<KindId> KindRegistry::served(std::string_view group, std::string_view version,
                                           std::string_view plural) {
  CHECK(!version.empty());
  return id_of(group, version, plural);
}

const CustomKind* KindRegistry::kept(KindId id, const Value& source) const {
  const Entry* e = entry(id);
  CHECK(e != nullptr) << "kind " << id.value;
  for (const auto& [made_of, kind] : e->kept) {
    if (made_of == source) return kind.get();
  }
  return nullptr;
}

const CustomKind& KindRegistry::keep(KindId id, Value source, std::unique_ptr<const CustomKind> kind) {
  Entry* e = entry(id);
  CHECK(e != nullptr && kind != nullptr) << "kind " << id.value;
  return *e->kept.emplace_back(std::move(source), std::move(kind)).second;
}

void KindRegistry::define(KindId id, const ResourceInfo& resource) {
  Entry* e = entry(id);
  CHECK(e != nullptr) << "kind " << id.value;
  if (e->resource.load() == &resource && e->served.load()) return;
  e->resource.store(&resource);
  e->served.store(true);
  ++generation_;
}

void KindRegistry::withdraw(KindId id) {
  Entry* e = entry(id);
  CHECK(e != nullptr) << "kind " << id.value;
  if (e->served.exchange(false)) ++generation_;
}

const ResourceInfo* KindRegistry::find(std::string_view group, std::string_view version,
                                       std::string_view plural) const {
  if (version.empty()) return nullptr;
  const size_t count = count_.load();
  for (size_t i = 0; i < count; ++i) {
    const Entry& e = *entries_[i].load();
    if (e.plural == plural && e.version == version && e.group == group) {
      return e.served.load() ? e.resource.load() : nullptr;
    }
  }
  return nullptr;
}

const ResourceInfo* KindRegistry::find_kind(std::string_view api_version, std::string_view kind) const {
  for (const auto* resource : served()) {
    if (resource->kind == kind && resource->api_version == api_version) return resource;
  }
  return nullptr;
}

const ResourceInfo* KindRegistry::resource(KindId id) const {
  const Entry* e = entry(id);
  return e ? e->resource.load() : nullptr;
}

bool KindRegistry::is_served(KindId id) const {
  const Entry* e = entry(id);
  return e && e->served.load();
}

std::vector<const ResourceInfo*> KindRegistry::all(bool of_versions) const {
  std::vector<const ResourceInfo*> found;
  const size_t count = count_.load();
  for (size_t i = 0; i < count; ++i) {
    const Entry& e = *entries_[i].load();
    if (e.version.empty() != of_versions && e.served.load()) found.push_back(e.resource.load());
  }
  return found;
}

std::vector<const ResourceInfo*> KindRegistry::served() const { return all(true); }
std::vector<const ResourceInfo*> KindRegistry::stored() const { return all(false); }

}  // namespace minik::control
