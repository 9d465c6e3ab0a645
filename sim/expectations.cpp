#include "sim/expectations.h"

#include <algorithm>

#include "control/base/text.h"

namespace minik::sim {

namespace {

bool can_be_met(const Expectation& e) {
  return e.must == Expectation::Must::kWithin || e.must == Expectation::Must::kStable;
}

// Whose writes may change the answer; none: it is of a metric.
std::optional<control::KindId> kind_of(const Predicate& predicate) {
  if (predicate.object) return predicate.object->id;
  return predicate.selection ? std::optional(predicate.selection->kind) : std::nullopt;
}

}  // namespace

void Expectations::on_write(Instant, const control::LogRecord& record) { changed_.insert(record.kind); }

void Expectations::forget_objects() {
  for (auto& state : states_) state.judged.reset();
}

Judgement Expectations::judged_now(const Predicate& predicate, State& state, const control::Store& store,
                                   MetricRegistry& metrics) const {
  const auto kind = kind_of(predicate);
  if (!kind) return judge(predicate, store, metrics);
  if (!state.judged || changed_.contains(*kind)) state.judged = judge(predicate, store, metrics);
  return *state.judged;
}

void Expectations::check(Duration now, const control::Store& store, MetricRegistry& metrics) {
  for (size_t i = 0; i < states_.size(); ++i) {
    const Expectation& e = expectations_[i];
    State& state = states_[i];
    if (now < e.after || state.broken || state.met) continue;
    check_one(e, state, now, judged_now(e.predicate, state, store, metrics));
  }
  changed_.clear();
}

void Expectations::check_one(const Expectation& e, State& state, Duration now, const Judgement& judged) {
  const auto settle = [&](bool& how, std::string detail) {
    how = true;
    state.at = now;
    state.detail = std::move(detail);
  };
  switch (e.must) {
    case Expectation::Must::kWithin:
      if (judged.holds) {
        settle(state.met, "");
      } else if (now >= e.after + e.time) {
        settle(state.broken, judged.detail);
      }
      break;
    case Expectation::Must::kAlways:
      if (!judged.holds) settle(state.broken, judged.detail);
      break;
    case Expectation::Must::kNever:
      if (judged.holds) settle(state.broken, "it holds");
      break;
    case Expectation::Must::kStable:
      if (!judged.holds) {
        state.detail = cat(state.since ? cat("it held from ", format_duration(*state.since), " to ", format_duration(now), "; ") : "", judged.detail);
        state.since.reset();
      } else if (!state.since) {
        state.since = now;
      }
      if (state.since && now - *state.since >= e.time) {
        settle(state.met, "");
      } else if (e.deadline && now >= e.after + *e.deadline) {
        settle(state.broken, state.detail);
      }
      break;
  }
}

std::vector<Finding> Expectations::conclude() const {
  std::vector<Finding> findings;
  for (size_t i = 0; i < states_.size(); ++i) {
    const Expectation& e = expectations_[i];
    const State& state = states_[i];
    const bool held = can_be_met(e) ? state.met : !state.broken;
    std::string detail = state.detail;
    if (can_be_met(e) && !state.met && !state.broken) {
      detail = cat("the run ended before its time was over", detail.empty() ? "" : cat("; ", detail));
    }
    findings.push_back({e.text(), held, state.at, detail});
  }
  return findings;
}

std::vector<Finding> Expectations::newly_settled() {
  std::vector<Finding> settled;
  for (size_t i = 0; i < states_.size(); ++i) {
    State& state = states_[i];
    if (state.told || (!state.met && !state.broken)) continue;
    state.told = true;
    settled.push_back({expectations_[i].text(), state.met, state.at, state.detail});
  }
  return settled;
}

bool Expectations::all_broken_or_met() const {
  for (size_t i = 0; i < states_.size(); ++i) {
    if (!states_[i].broken && !states_[i].met) return false;
  }
  return true;
}

}  // namespace minik::sim
