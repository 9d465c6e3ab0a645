#include "control/controllers/autoscaling_limits.h"

#include <algorithm>

#include "control/object/keys.h"
#include "control/object/quantity.h"

namespace minik::control {

namespace {

constexpr int64_t kDownStabilization = 300, kRememberSeconds = 3600;
// Without rules of its own an autoscaler may double its target, or make four of less than two.
constexpr int64_t kGrowthFactor = 2, kGrowthFree = 4;

struct Policy {
  bool percent;
  int64_t value, period;
};

struct Rules {
  Duration window;
  std::string select;
  std::vector<Policy> policies;
};

Rules rules_of(const Value& rules, bool up) {
  Rules result;
  result.window = seconds(rules[keys::kStabilizationWindowSeconds].as_int(up ? 0 : kDownStabilization));
  result.select = rules[keys::kSelectPolicy].as_string("Max");
  for (const auto& policy : rules[keys::kPolicies].items()) {
    result.policies.push_back({policy[keys::kType].as_string() == "Percent", policy[keys::kValue].as_int(),
                               policy[keys::kPeriodSeconds].as_int()});
  }
  if (!result.policies.empty()) return result;
  if (up) result.policies.push_back({false, 4, 15});
  result.policies.push_back({true, 100, 15});
  return result;
}

int64_t sum_since(const std::vector<ScalingHistory::Entry>& entries, WallTime since) {
  int64_t sum = 0;
  for (const auto& entry : entries) sum += entry.at > since ? entry.value : 0;
  return sum;
}

int64_t most(const Rules& rules, int64_t current, const ScalingHistory& history, WallTime now) {
  if (rules.select == "Disabled") return current;
  std::optional<int64_t> limit;
  for (const auto& policy : rules.policies) {
    const WallTime since = now - seconds(policy.period);
    const int64_t before = current - sum_since(history.added, since) + sum_since(history.removed, since);
    const int64_t allowed =
        policy.percent ? (before * (100 + policy.value) + 99) / 100 : before + policy.value;
    const bool take = !limit || (rules.select == "Min" ? allowed < *limit : allowed > *limit);
    if (take) limit = allowed;
  }
  return limit.value_or(current);
}

int64_t least(const Rules& rules, int64_t current, const ScalingHistory& history, WallTime now) {
  if (rules.select == "Disabled") return current;
  std::optional<int64_t> limit;
  for (const auto& policy : rules.policies) {
    const WallTime since = now - seconds(policy.period);
    const int64_t before = current + sum_since(history.removed, since) - sum_since(history.added, since);
    const int64_t allowed = policy.percent ? before * (100 - policy.value) / 100 : before - policy.value;
    // The greatest change leaves the fewest.
    const bool take = !limit || (rules.select == "Min" ? allowed > *limit : allowed < *limit);
    if (take) limit = allowed;
  }
  return limit.value_or(current);
}

int64_t stabilized(const Rules& up, const Rules& down, int64_t current, int64_t wish, const ScalingHistory& history,
                   WallTime now) {
  int64_t low = wish, high = wish;
  for (const auto& entry : history.wishes) {
    if (entry.at > now - up.window) low = std::min(low, entry.value);
    if (entry.at > now - down.window) high = std::max(high, entry.value);
  }
  return std::clamp(current, low, high);
}

// Without rules: the highest wish of the last minutes, even where that is more than there are now.
int64_t highest_wish(int64_t wish, const ScalingHistory& history, WallTime now) {
  for (const auto& entry : history.wishes) {
    if (entry.at >= now - seconds(kDownStabilization)) wish = std::max(wish, entry.value);
  }
  return wish;
}

void forget_old(ScalingHistory& history, WallTime now) {
  for (auto* list : {&history.wishes, &history.added, &history.removed}) {
    std::erase_if(*list, [&](const auto& entry) { return entry.at < now - seconds(kRememberSeconds); });
  }
}

}  // namespace

LimitedWish limit_wish(const Value& spec, int64_t current, int64_t wish, ScalingHistory& history, WallTime now) {
  const bool ruled = spec[keys::kBehavior].has_value();
  const Rules up = rules_of(spec[keys::kBehavior][keys::kScaleUp], true);
  const Rules down = rules_of(spec[keys::kBehavior][keys::kScaleDown], false);
  forget_old(history, now);
  LimitedWish result;
  result.replicas = ruled ? stabilized(up, down, current, wish, history, now) : highest_wish(wish, history, now);
  history.wishes.push_back({now, wish});
  if (result.replicas == wish) {
    result.able_reason = "ReadyForNewScale";
    result.able_message = "recommended size matches current size";
  } else if (ruled && wish >= current) {
    result.able_reason = "ScaleUpStabilized";
    result.able_message = "recent recommendations were lower than current one, applying the lowest recent recommendation";
  } else {
    result.able_reason = "ScaleDownStabilized";
    result.able_message = "recent recommendations were higher than current one, applying the highest recent recommendation";
  }
  const int64_t min = spec[keys::kMinReplicas].as_int(1), max = spec[keys::kMaxReplicas].as_int();
  const auto bound = [&](int64_t replicas, const char* reason, const char* message) {
    result.replicas = replicas;
    result.limited = true;
    result.limited_reason = reason;
    result.limited_message = message;
  };
  if (result.replicas > current) {
    const int64_t rate = ruled ? std::max(current, most(up, current, history, now))
                               : std::max(current * kGrowthFactor, kGrowthFree);
    if (result.replicas > std::min(rate, max)) {
      max <= rate ? bound(max, "TooManyReplicas", "the desired replica count is more than the maximum replica count")
                  : bound(rate, "ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate");
    }
  } else if (result.replicas < current) {
    const int64_t rate = ruled ? std::min(current, least(down, current, history, now)) : 0;
    if (result.replicas < std::max(rate, min)) {
      min >= rate ? bound(min, "TooFewReplicas", "the desired replica count is less than the minimum replica count")
                  : bound(rate, "ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate");
    }
  }
  if (!result.limited) {
    result.limited_reason = "DesiredWithinRange";
    result.limited_message = "the desired count is within the acceptable range";
  }
  return result;
}

void remember_change(ScalingHistory& history, int64_t before, int64_t after, WallTime now) {
  if (after > before) history.added.push_back({now, after - before});
  if (after < before) history.removed.push_back({now, before - after});
}

Tolerance tolerance_of(const Value& spec) {
  const auto read = [&](const Key& direction) {
    const Value& own = spec[keys::kBehavior][direction][keys::kTolerance];
    return own.has_value() ? Quantity::of_value(own).milli() : 100;
  };
  return {read(keys::kScaleUp), read(keys::kScaleDown)};
}

}  // namespace minik::control
