// Nothing owned outlives its owner: when an object is gone, what named it as its only owner is gone or on its way two
// calm minutes later.
// Not verified: objects of several owners; owners that were gone before their dependents came; custom resources.
#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/schema/schema.h"
#include "sim/invariants.h"

namespace minik::sim {

namespace keys = control::keys;
using control::Value;

namespace {

constexpr Duration kOrphanGrace = minutes(2);

// The uid of its only owner, while it is not on its way out.
std::string_view owner_of(const Value& object) {
  if (!object.has_value() || control::is_deleting(object)) return {};
  const auto owners = object[keys::kMetadata][keys::kOwnerReferences].items();
  return owners.size() == 1 ? owners[0][keys::kUid].as_string() : std::string_view();
}

class OwnedObjects : public Invariant {
 public:
  explicit OwnedObjects(std::function<Instant()> now) : now_(std::move(now)) {}
  std::string_view name() const override { return "nothing owned outlives its owner"; }
  std::vector<control::KindId> kinds() const override {
    std::vector<control::KindId> all;
    for (const auto& resource : control::Schema::builtin().resources()) {
      if (resource.has_verb("create") && resource.has_verb("watch")) all.push_back(resource.id);
    }
    return all;
  }

  void on_event(control::KindId kind, const control::StoreEvent& event) override {
    const bool deleted = event.type == control::StoreEvent::Type::kDeleted;
    const auto before = owner_of(event.previous), after = deleted ? std::string_view() : owner_of(event.object);
    if (before != after) {
      count(before, -1, event.object);
      count(after, 1, event.object);
    }
    if (!deleted) return;
    const auto found = owners_.find(control::object_uid(event.object));
    if (found == owners_.end()) return;
    found->second.gone = now_();
    found->second.who = cat(control::Schema::builtin().resource(kind).kind, " ", control::key_of(event.object).text());
    gone_ = true;
  }

  void look(const control::Store&, Instant now, Instant calm_since) override {
    if (!gone_) return;
    gone_ = false;
    for (const auto& [uid, owner] : owners_) {
      if (!owner.gone) continue;
      gone_ = true;
      if (now - std::max(*owner.gone, calm_since) <= kOrphanGrace) continue;
      breaks(cat(owner.dependents, " objects outlive ", owner.who, ", which is gone since ",
                 format_duration(Duration{owner.gone->ns}), "; one is ", owner.last));
    }
  }

  void forget() override {
    owners_.clear();
    gone_ = false;
  }

 private:
  struct Owner {
    int64_t dependents = 0;
    std::string last, who;  // a dependent; the owner, once it is gone
    std::optional<Instant> gone;
  };

  void count(std::string_view uid, int64_t change, const Value& dependent) {
    if (uid.empty()) return;
    auto found = owners_.find(uid);
    if (found == owners_.end()) found = owners_.emplace(std::string(uid), Owner{}).first;
    found->second.dependents += change;
    if (change > 0) found->second.last = control::key_of(dependent).text();
    if (found->second.dependents <= 0) owners_.erase(found);
  }

  std::function<Instant()> now_;
  std::map<std::string, Owner, std::less<>> owners_;  // by uid, of those that own something
  bool gone_ = false;
};

}  // namespace

std::unique_ptr<Invariant> make_owned_objects(const std::function<Instant()>& now) { return std::make_unique<OwnedObjects>(now); }

}  // namespace minik::sim
