#include "control/scheduler/domain_term.h"

#include <algorithm>

namespace minik::control {

namespace {

// ln(n) in thousandths, by whole arithmetic: log2 bit by bit, then times ln 2.
int64_t ln_thousandths(int64_t n) {
  if (n <= 1) return 0;
  constexpr int kFraction = 30;
  int64_t whole = 0;
  auto mantissa = static_cast<uint64_t>(n);
  while (mantissa >> (whole + 1)) ++whole;
  mantissa = (mantissa << kFraction) >> whole;  // in [1, 2)
  int64_t log2 = whole << 16;
  for (int64_t bit = 1 << 15; bit > 0; bit >>= 1) {
    mantissa = (mantissa * mantissa) >> kFraction;
    if (mantissa >> (kFraction + 1)) {
      mantissa >>= 1;
      log2 += bit;
    }
  }
  return (log2 * 693'147 / 1000) >> 16;
}

}  // namespace

DomainTerm::DomainTerm(Kind k, const Topology& topology, std::shared_ptr<const PodCount> count)
    : kind(k), topology_(&topology), count_(std::move(count)), local_(topology.local()) {}

void DomainTerm::count_domain(int64_t total, int by) {
  domains_ += by;
  if (kind != Kind::kSpread) return;  // only the skew asks for the least
  const auto at = levels_.try_emplace(total, 0).first;
  at->second += by;
  if (at->second == 0) levels_.erase(at);
}

void DomainTerm::add(int domain, int64_t count, int nodes) {
  const auto d = static_cast<size_t>(domain);
  if (totals_.size() <= d) {
    totals_.resize(topology_->domain_numbers(), 0);
    members_.resize(topology_->domain_numbers(), 0);
  }
  if (members_[d] > 0) count_domain(totals_[d], -1);
  totals_[d] += count;
  members_[d] += nodes;
  sum_ += count;
  if (members_[d] > 0) count_domain(totals_[d], 1);
}

void DomainTerm::update(int node, bool eligible) {
  const auto n = static_cast<size_t>(node);
  if (seats_.size() <= n) seats_.resize(n + 1);
  Seat now;
  if (eligible) now.domain = topology_->domain_of(node);
  if (now.domain >= 0) now.count = count_->on(node);
  Seat& seat = seats_[n];
  if (seat.domain == now.domain && seat.count == now.count) return;
  if (seat.domain == now.domain) {
    add(now.domain, now.count - seat.count, 0);
  } else {
    if (seat.domain >= 0) add(seat.domain, -seat.count, -1);
    if (now.domain >= 0) add(now.domain, now.count, 1);
  }
  seat = now;
}

int64_t DomainTerm::place(int node) const {
  const int domain = topology_->domain_of(node);
  if (domain < 0) return kNowhere;
  if (!local_) return domain;
  const auto d = static_cast<size_t>(domain);
  return d < totals_.size() ? totals_[d] : 0;
}

bool DomainTerm::allows(int64_t place, bool first, int64_t removed) const {
  switch (kind) {
    case Kind::kNear:
      return place != kNowhere && (first || pods_at(place) - removed > 0);
    case Kind::kApart:
    case Kind::kKeptAway:
      return pods_at(place) - removed <= 0;
    case Kind::kSpread: {
      if (place == kNowhere) return false;
      const int64_t here = pods_at(place) - removed;
      int64_t least = levels_.empty() ? 0 : levels_.begin()->first;
      if (domains_ < min_domains) least = 0;
      return here + (counts_itself ? 1 : 0) - std::min(least, here) <= max_skew;
    }
    case Kind::kPreferSpread:
    case Kind::kAttract:
      break;
  }
  return true;
}

int64_t DomainTerm::crowding(int64_t place) const {
  const int64_t scarcity = ln_thousandths(domains_ + 2);
  return pods_at(place) * scarcity + (max_skew - 1) * 1000;
}

std::string_view DomainTerm::reason(int64_t place) const {
  switch (kind) {
    case Kind::kNear:
      return "node(s) didn't match pod affinity rules";
    case Kind::kApart:
      return "node(s) didn't match pod anti-affinity rules";
    case Kind::kKeptAway:
      return "node(s) didn't satisfy existing pods anti-affinity rules";
    case Kind::kSpread:
      return place == kNowhere
                 ? "node(s) didn't match pod topology spread constraints (missing required label)"
                 : "node(s) didn't match pod topology spread constraints";
    case Kind::kPreferSpread:
    case Kind::kAttract:
      break;
  }
  return {};
}

bool DomainTerm::resolvable(int64_t place) const {
  if (kind == Kind::kNear) return false;
  return kind != Kind::kSpread || place != kNowhere;
}

}  // namespace minik::control
