// What must hold in every run, whatever the scenario says. Each invariant is one file under invariants/ that says
// what it does not verify.
//
// They listen to the store: each is told of the change of an object that concerns it, so that what they cost follows
// what changes and not how much there is, and a million pods can be watched over. What takes the cluster a moment
// (an endpoint that must go, an object whose owner is gone) is given a grace that counts only while nothing is
// troubled: no fault under way, every component running.
//
// Owned by a run, control thread only. They read the store and change nothing.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/time.h"
#include "control/store/store.h"

namespace minik::sim {

class Invariant {
 public:
  virtual ~Invariant() = default;
  virtual std::string_view name() const = 0;  // "no node has more bound to it than it has"
  virtual std::vector<control::KindId> kinds() const = 0;
  // In order of revisions. Objects that are there from the start come as added.
  virtual void on_event(control::KindId kind, const control::StoreEvent& event) = 0;
  // Every virtual second; `calm_since`: from when on nothing has been troubled.
  virtual void look(const control::Store& store, Instant now, Instant calm_since) = 0;
  // Everything is healed or over: what costs as much as the cluster is large.
  virtual void compare(const control::Store& store) { (void)store; }
  // The store is a new one: nothing of before counts.
  virtual void forget() = 0;

  // The first time that it did not hold, in words.
  const std::optional<std::string>& broken() const { return broken_; }

 protected:
  void breaks(std::string how) {
    if (!broken_) broken_ = std::move(how);
  }

 private:
  std::optional<std::string> broken_;
};

std::unique_ptr<Invariant> make_no_overcommitment();
std::unique_ptr<Invariant> make_rollout_bounds();
std::unique_ptr<Invariant> make_disruption_budgets();
std::unique_ptr<Invariant> make_ready_endpoints(const std::function<Instant()>& now);
std::unique_ptr<Invariant> make_owned_objects(const std::function<Instant()>& now);
std::unique_ptr<Invariant> make_faithful_watches();

// All of them over one store at a time.
class Invariants {
 public:
  explicit Invariants(const std::function<Instant()>& now);

  // From now on this store, which is to be told of as if it were new.
  void watch(control::Store& store);
  void look(const control::Store& store, Instant now, Instant calm_since);
  void compare(const control::Store& store);
  const std::vector<std::unique_ptr<Invariant>>& all() const { return all_; }

 private:
  std::vector<std::unique_ptr<Invariant>> all_;
  std::map<control::KindId, std::vector<Invariant*>> by_kind_;
};

// Of a whole store at once, for tests that have no run.
std::optional<std::string> overcommitted_node(const control::Store& store);

}  // namespace minik::sim
