#include "minik/net/fair_queue.h"

#include <algorithm>
#include <utility>

namespace minik {

bool FairQueue::submit(const control::FlowClass& of, int64_t total_shares, int64_t seats, Run run) {
  Level& level = levels_[of.level->name];
  level.settings = of.level;
  level.seats = std::max<int64_t>(1, limits_.seats * of.level->shares / total_shares);
  level.kept = level.seats - level.seats * of.level->lendable_percent / 100;
  level.most = of.level->borrowing_limit_percent ? level.seats + level.seats * *of.level->borrowing_limit_percent / 100 : limits_.seats;
  const auto flow = level.flows.find(of.flow);
  const size_t waiting = flow == level.flows.end() ? 0 : flow->second.line.size();
  // A request that can be in work at once does not wait, so it needs no place in a line.
  const bool full = static_cast<int64_t>(waiting) >= of.level->flow_queue_max &&
                    !has_room(level, static_cast<int64_t>(waiting) + 1);
  if (!of.level->exempt && full) return false;
  level.flows[of.flow].line.push_back({std::clamp<int64_t>(seats, 1, kApiSeatsPerRequestMax), std::move(run)});
  pump_soon();
  return true;
}

void FairQueue::pump_soon() {
  if (std::exchange(pumping_, true)) return;
  control_.post([self = shared_from_this()] {
    self->pumping_ = false;
    self->pump();
  });
}

void FairQueue::pump() {
  int64_t left = limits_.seats_per_turn;
  bool ran = true;
  while (ran && left > 0) {
    ran = false;
    for (auto& [_, level] : levels_) {
      const int64_t cost = run_next(level);
      left -= cost;
      ran = ran || cost > 0;
    }
  }
  // Those whose level has no seat come on when one is given back.
  if (ran) pump_soon();
}

bool FairQueue::has_room(const Level& level, int64_t seats) const {
  const int64_t wanted = level.in_use + seats;
  if (wanted <= level.kept) return true;
  if (wanted > level.most) return false;
  // What is left when every other level has all that it keeps.
  int64_t free = limits_.seats;
  for (const auto& [_, other] : levels_) {
    if (other.settings->exempt || &other == &level) continue;
    // Settings that only this queue still holds were changed or deleted since the level's last request: it keeps nothing.
    const bool is_current = other.settings.use_count() > 1;
    free -= is_current ? std::max(other.in_use, other.kept) : other.in_use;
  }
  return wanted <= free;
}

int64_t FairQueue::run_next(Level& level) {
  if (level.flows.empty()) return 0;
  // Each flow earns a seat's worth a visit, so at the latest after the dearest request's seats one can run.
  for (;;) {
    auto at = level.flows.lower_bound(level.next_flow);
    if (at == level.flows.end()) at = level.flows.begin();
    const auto next = std::next(at);
    const int64_t seats = at->second.line.front().seats;
    const bool room = level.settings->exempt || level.in_use == 0 || has_room(level, seats);
    if (!room) return 0;
    level.next_flow = next == level.flows.end() ? std::string() : next->first;
    if (++at->second.credit < seats) continue;
    at->second.credit = 0;
    const Run run = std::move(at->second.line.front().run);
    at->second.line.pop_front();
    if (at->second.line.empty()) level.flows.erase(at);
    level.in_use += seats;
    run(take_seat(level, seats));
    return seats;
  }
}

// Levels are never forgotten (there are as many as objects of their kind), so a reference to one stays good.
FairQueue::Seat FairQueue::take_seat(Level& level, int64_t seats) {
  // Any non-null pointer: what counts is when the last copy goes.
  return {this, [weak = weak_from_this(), &level, seats](void*) {
            const auto self = weak.lock();
            if (!self) return;
            level.in_use -= seats;
            // A seat may be lent, so any level may go on with it.
            const bool waiting = std::ranges::any_of(self->levels_, [](const auto& l) { return !l.second.flows.empty(); });
            if (waiting) self->pump_soon();
          }};
}

FairQueue::LongRunning FairQueue::open_long_running(const std::string& user) {
  if (long_running_ >= limits_.long_running_max) return nullptr;
  size_t& of_user = long_running_of_[user];
  if (of_user >= limits_.long_running_per_user_max) return nullptr;
  ++of_user;
  ++long_running_;
  return {this, [weak = weak_from_this(), &control = control_, user](void*) {
            control.post([weak, user] {
              const auto self = weak.lock();
              if (!self) return;
              --self->long_running_;
              if (--self->long_running_of_[user] == 0) self->long_running_of_.erase(user);
            });
          }};
}

}  // namespace minik
