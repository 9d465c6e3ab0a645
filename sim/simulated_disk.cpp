#include "sim/simulated_disk.h"

#include <algorithm>
#include <utility>

namespace minik::sim {

namespace {
constexpr int64_t kLogBytesMax = 50LL << 20;
}

int64_t SimulatedDisk::grown(int64_t rate, const Writer& writer, Instant now) {
  const Instant end = writer.ended.ns == 0 ? now : writer.ended;
  const int64_t seconds_up = std::max<int64_t>((end - writer.started).seconds(), 0);
  if (rate == 0 || seconds_up == 0) return 0;
  return seconds_up > kDiskBytesMax / rate ? kDiskBytesMax : rate * seconds_up;
}

int64_t SimulatedDisk::own_bytes(const Writer& writer, Instant now) {
  return writer.writes.layer_bytes + grown(writer.writes.layer_rate, writer, now) +
         std::min(grown(writer.writes.log_rate, writer, now), kLogBytesMax);
}

void SimulatedDisk::started(const std::string& container_id, std::string pod_uid, std::string name, std::set<std::string> volumes,
                            DiskWrites writes, Instant now) {
  writers_[container_id] = Writer{std::move(pod_uid), std::move(name), std::move(volumes), writes, now, Instant{}};
}

void SimulatedDisk::ended(const std::string& container_id, Instant now) {
  const auto found = writers_.find(container_id);
  if (found != writers_.end() && found->second.ended.ns == 0) found->second.ended = now;
}

void SimulatedDisk::remove_container(const std::string& container_id, Instant now) {
  const auto found = writers_.find(container_id);
  if (found == writers_.end()) return;
  const Writer& writer = found->second;
  for (const auto& volume : writer.volumes) volumes_[writer.pod_uid][volume] += grown(writer.writes.volume_rate, writer, now);
  writers_.erase(found);
}

void SimulatedDisk::remove_volumes(const std::string& pod_uid) {
  volumes_.erase(pod_uid);
  for (auto& [id, writer] : writers_) {
    if (writer.pod_uid == pod_uid) writer.volumes.clear();
  }
}

int64_t SimulatedDisk::available(Instant now) const {
  int64_t used = 0;
  for (const auto& [reference, bytes] : images_) used += bytes;
  for (const auto& [id, writer] : writers_) {
    used += own_bytes(writer, now) + grown(writer.writes.volume_rate, writer, now) * static_cast<int64_t>(writer.volumes.size());
  }
  for (const auto& [uid, volumes] : volumes_) {
    for (const auto& [name, bytes] : volumes) used += bytes;
  }
  return full_ ? 0 : std::max<int64_t>(capacity_bytes_ - used, 0);
}

control::DiskUsage SimulatedDisk::usage(const std::vector<std::string>& pod_uids, Instant now) const {
  control::DiskUsage usage;
  usage.capacity_bytes = capacity_bytes_;
  usage.available_bytes = available(now);
  for (const auto& uid : pod_uids) {
    auto& pod = usage.pods[uid];
    if (const auto left = volumes_.find(uid); left != volumes_.end()) pod.volumes = left->second;
  }
  for (const auto& [id, writer] : writers_) {
    const auto pod = usage.pods.find(writer.pod_uid);
    if (pod == usage.pods.end()) continue;
    pod->second.containers[writer.name] += own_bytes(writer, now);
    for (const auto& volume : writer.volumes) pod->second.volumes[volume] += grown(writer.writes.volume_rate, writer, now);
  }
  return usage;
}

}  // namespace minik::sim
