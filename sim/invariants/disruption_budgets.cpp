// A voluntary disruption never breaks a budget: when the Eviction API lets a healthy pod go, as many healthy ones are
// left as each budget that selects it asks for.
// Not verified: deletions and preemption, which no budget forbids; evictions while something is troubled or has been
// within the last seconds, because the API judges by what the budget's controller has last seen; unhealthy pods.
#include "control/base/text.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/object/selector.h"
#include "control/schema/kinds.h"
#include "sim/invariants.h"

namespace minik::sim {

namespace keys = control::keys;
namespace kinds = control::kinds;
using control::Value;

namespace {

// As long as its controller may take to see that a pod is lost.
constexpr Duration kLossGrace = seconds(15);

bool is_healthy(const Value& pod) { return pod.has_value() && control::is_pod_ready(pod) && !control::is_deleting(pod); }

class DisruptionBudgets : public Invariant {
 public:
  std::string_view name() const override { return "no eviction breaks a budget"; }
  std::vector<control::KindId> kinds() const override { return {kinds::kPods, kinds::kPoddisruptionbudgets}; }

  void on_event(control::KindId kind, const control::StoreEvent& event) override {
    const bool deleted = event.type == control::StoreEvent::Type::kDeleted;
    if (kind == kinds::kPoddisruptionbudgets) {
      on_budget(event, deleted);
    } else if (!budgets_.empty()) {
      on_pod(event, deleted);
    }
  }

  void look(const control::Store& store, Instant now, Instant calm_since) override {
    now_ = now;
    calm_since_ = calm_since;
    for (auto& [key, budget] : budgets_) {
      if (!budget.counted) count(store, budget);
    }
  }
  void forget() override { budgets_.clear(); }

 private:
  struct Budget {
    Value object;
    control::LabelSelector selector;
    std::string namespace_;
    int64_t healthy = 0;
    bool counted = false;  // pods from before the budget are counted at the next look
    Instant lost;          // when a pod was last lost without an eviction

    bool selects(const Value& pod) const {
      return control::object_namespace(pod) == namespace_ && selector.matches(pod[keys::kMetadata][keys::kLabels]);
    }
  };

  void on_budget(const control::StoreEvent& event, bool deleted) {
    const std::string key = control::key_of(event.object).text();
    if (deleted) {
      budgets_.erase(key);
      return;
    }
    Budget& budget = budgets_[key];
    const bool same = budget.object[keys::kSpec] == event.object[keys::kSpec];
    budget.object = event.object;
    if (same && budget.counted) return;
    auto selector = control::LabelSelector::from_object(event.object[keys::kSpec][keys::kSelector]);
    budget.selector = selector ? *std::move(selector) : control::LabelSelector::nothing();
    budget.namespace_ = control::object_namespace(event.object);
    budget.counted = false;
  }

  static void count(const control::Store& store, Budget& budget) {
    budget.healthy = 0;
    store.for_each(kinds::kPods, [&](const Value& pod) { budget.healthy += is_healthy(pod) && budget.selects(pod); });
    budget.counted = true;
  }

  void on_pod(const control::StoreEvent& event, bool deleted) {
    const bool before = is_healthy(event.previous), after = !deleted && is_healthy(event.object);
    if (before == after) return;
    const bool evicted = control::condition(event.object, "DisruptionTarget")[keys::kReason].as_string() == "EvictionByEvictionAPI" &&
                         control::is_deleting(event.object);
    for (auto& [key, budget] : budgets_) {
      if (!budget.counted || !budget.selects(event.object)) continue;
      budget.healthy += after - before;
      if (after) continue;
      if (!evicted) {
        budget.lost = now_;
        continue;
      }
      const Value& status = budget.object[keys::kStatus];
      const bool calm = now_ - calm_since_ > kLossGrace && (budget.lost.ns == 0 || now_ - budget.lost > kLossGrace);
      const int64_t wanted = status[keys::kDesiredHealthy].as_int();
      if (calm && budget.healthy < wanted) {
        breaks(cat("Pod ", control::key_of(event.object).text(), " was evicted, and the budget ", key, " has ", budget.healthy,
                   " healthy pods where it wants ", wanted));
      }
    }
  }

  std::map<std::string, Budget> budgets_;
  Instant now_, calm_since_;
};

}  // namespace

std::unique_ptr<Invariant> make_disruption_budgets() { return std::make_unique<DisruptionBudgets>(); }

}  // namespace minik::sim
