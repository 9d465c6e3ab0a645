// A watch replays to exactly the list: revisions grow from event to event, what an event says was there before is what
// the events before it left, and all of them together are what a list gives.
// Kept as one number a kind, into which every object's key and revision are mixed: it is equal when the lists are, and
// a million pods cost no memory. Not verified: the contents of objects beside their revision, and what transports make
// of watches (informers that lag, stall or start anew).
#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/schema/schema.h"
#include "sim/invariants.h"

namespace minik::sim {

using control::Value;

namespace {

uint64_t mixed(const Value& object) {
  const uint64_t key = fnv1a_64(control::object_namespace(object)) * 31 + fnv1a_64(control::object_name(object));
  // Of SplitMix64: near numbers become far ones.
  uint64_t x = key ^ (control::object_revision(object).value * 0x9e3779b97f4a7c15ULL);
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

class FaithfulWatches : public Invariant {
 public:
  std::string_view name() const override { return "a watch replays to exactly the list"; }
  std::vector<control::KindId> kinds() const override {
    std::vector<control::KindId> all;
    for (const auto& resource : control::Schema::builtin().resources()) {
      if (resource.has_verb("create") && resource.has_verb("watch")) all.push_back(resource.id);
    }
    return all;
  }

  void on_event(control::KindId kind, const control::StoreEvent& event) override {
    Replay& replay = replays_[kind];
    const bool initial = event.type == control::StoreEvent::Type::kAdded && !event.previous.has_value();
    if (event.revision <= replay.last && !initial) {
      breaks(cat("revision ", event.revision.value, " of ", control::key_of(event.object).text(), " came after ", replay.last.value));
    }
    replay.last = std::max(replay.last, event.revision);
    if (event.previous.has_value()) {
      replay.sum ^= mixed(event.previous);
      --replay.count;
    }
    if (event.type == control::StoreEvent::Type::kDeleted) return;
    replay.sum ^= mixed(event.object);
    ++replay.count;
  }

  void look(const control::Store& store, Instant, Instant) override {
    if (store.revision() != store.durable_revision()) return;  // events are on their way
    for (const auto& [kind, replay] : replays_) {
      if (replay.count != static_cast<int64_t>(store.count(kind))) differs(kind, replay, static_cast<int64_t>(store.count(kind)));
    }
  }

  void compare(const control::Store& store) override {
    if (store.revision() != store.durable_revision()) return;
    for (const auto& [kind, replay] : replays_) {
      Replay list;
      store.for_each(kind, [&](const Value& object) {
        list.sum ^= mixed(object);
        ++list.count;
      });
      if (list.sum != replay.sum || list.count != replay.count) differs(kind, replay, list.count);
    }
  }

  void forget() override { replays_.clear(); }

 private:
  struct Replay {
    uint64_t sum = 0;
    int64_t count = 0;
    control::Revision last;
  };

  void differs(control::KindId kind, const Replay& replay, int64_t listed) {
    breaks(cat("the watch of ", control::Schema::builtin().resource(kind).plural, " replays to ", replay.count,
               " objects, and ", listed, " are listed", replay.count == listed ? ", not the same ones" : ""));
  }

  std::map<control::KindId, Replay> replays_;
};

}  // namespace

std::unique_ptr<Invariant> make_faithful_watches() { return std::make_unique<FaithfulWatches>(); }

}  // namespace minik::sim
