#include "control/kubelet/disk_watch.h"

#include <algorithm>
#include <set>
#include <utility>

#include "control/object/object_ref.h"

namespace minik::control {

DiskWatch::DiskWatch(Executor& executor, ContainerRuntime& runtime, DiskWatchOptions options, std::function<Workers()> workers,
                     std::function<void()> pressure_changed, std::function<void()> shortage_met)
    : executor_(executor),
      runtime_(runtime),
      options_(options),
      workers_(std::move(workers)),
      pressure_changed_(std::move(pressure_changed)),
      shortage_met_(std::move(shortage_met)),
      look_timer_(executor),
      relief_timer_(executor) {}

DiskWatch::~DiskWatch() { *alive_ = false; }

void DiskWatch::image_pulled(const std::string& id) {
  const Instant now = executor_.now();
  std::erase_if(pulled_at_, [&](const auto& image) { return now - image.second >= options_.image_age_min; });
  pulled_at_[id] = now;
}

void DiskWatch::look() {
  look_timer_.arm(options_.period, [this] { look(); });
  if (std::exchange(looking_, true)) return;
  Workers limited;
  for (auto& worker : workers_()) {
    if (worker->is_active() && has_storage_limit(worker->pod())) limited.push_back(std::move(worker));
  }
  const bool may_be_low = options_.thresholds.images_percent > 0 || options_.thresholds.node_percent > 0;
  if (limited.empty() && !may_be_low) {
    if (!options_.goes_on) look_timer_.cancel();
    return done();
  }
  measure(limited, [this](const DiskUsage& usage) { judge(usage); });
}

void DiskWatch::measure(const Workers& of, std::function<void(const DiskUsage&)> then) {
  std::vector<std::string> uids;
  for (const auto& worker : of) uids.emplace_back(object_uid(worker->pod()));
  runtime_.disk_usage(std::move(uids), [this, alive = alive_, then = std::move(then)](Result<DiskUsage> usage) {
    if (!*alive) return;
    if (!usage) return done();
    then(*usage);
  });
}

void DiskWatch::judge(const DiskUsage& usage) {
  const bool evicted = evict_who_exceeds(usage);
  set_shortage(disk_shortage(usage, options_.thresholds).has_value());
  if (!short_ && !options_.goes_on) look_timer_.cancel();
  // Who goes may leave enough.
  if (!short_ || evicted) return done();
  shortage_met_();
  reclaim(std::make_shared<Workers>(workers_()));
}

bool DiskWatch::evict_who_exceeds(const DiskUsage& usage) {
  bool any = false;
  for (const auto& worker : workers_()) {
    const auto written = usage.pods.find(std::string(object_uid(worker->pod())));
    if (written == usage.pods.end() || !worker->is_active()) continue;
    const auto why = exceeded_storage_limit({worker->pod(), written->second});
    if (!why) continue;
    worker->evict(*why, EvictionCause::kOwnLimit);
    any = true;
  }
  return any;
}

void DiskWatch::set_shortage(bool is_short) {
  if (std::exchange(short_, is_short) == is_short) return;
  if (!is_short) {
    relief_timer_.arm(options_.pressure_transition_period, [this] {
      pressure_ = false;
      pressure_changed_();
    });
    return;
  }
  relief_timer_.cancel();
  if (!std::exchange(pressure_, true)) pressure_changed_();
}

void DiskWatch::reclaim(const std::shared_ptr<Workers>& all) { remove_remains(all, 0); }

// One pod after the other, then the images.
void DiskWatch::remove_remains(const std::shared_ptr<Workers>& all, size_t from) {
  for (size_t i = from; i < all->size(); ++i) {
    const bool begun = (*all)[i]->remove_remains([this, alive = alive_, all, i] {
      if (*alive) remove_remains(all, i + 1);
    });
    if (begun) return;
  }
  remove_unused_images(all);
}

void DiskWatch::remove_unused_images(const std::shared_ptr<Workers>& all) {
  std::set<std::string> used;
  for (const auto& worker : *all) {
    for (const auto& [name, record] : worker->state().containers) {
      if (record.current) used.insert(record.current->image_id);
      if (record.last) used.insert(record.last->image_id);
    }
  }
  runtime_.list_images([this, alive = alive_, used = std::move(used)](Result<std::vector<ImageStatus>> images) {
    if (!*alive) return;
    const auto left = std::make_shared<size_t>(1);
    const auto one_less = [this, alive, left] {
      if (*alive && --*left == 0) evict_one();
    };
    for (const auto& image : images ? *images : std::vector<ImageStatus>()) {
      const auto pulled = pulled_at_.find(image.id);
      const bool young = pulled != pulled_at_.end() && executor_.now() - pulled->second < options_.image_age_min;
      if (young || used.contains(image.id)) continue;
      ++*left;
      runtime_.remove_image(image.id, [one_less](const Result<Unit>&) { one_less(); });
    }
    one_less();
  });
}

void DiskWatch::evict_one() {
  Workers active = workers_();
  std::erase_if(active, [](const auto& worker) { return !worker->is_active(); });
  measure(active, [this, active](const DiskUsage& usage) {
    done();
    const auto shortage = disk_shortage(usage, options_.thresholds);
    if (!shortage) return;
    std::vector<EvictionCandidate> candidates;
    Workers of;
    for (const auto& worker : active) {
      if (!worker->is_active()) continue;
      const auto written = usage.pods.find(std::string(object_uid(worker->pod())));
      // Who cannot be measured has written nothing.
      candidates.push_back({worker->pod(), written == usage.pods.end() ? DiskUsage::Pod() : written->second});
      of.push_back(worker);
    }
    const auto next = next_to_evict(candidates);
    if (next) of[*next]->evict(eviction_message(candidates[*next], *shortage), EvictionCause::kNodePressure);
  });
}

}  // namespace minik::control
