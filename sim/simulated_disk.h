// SimulatedDisk: what is on the disk of a machine that does not exist: images, and what containers write to their layers,
// logs and emptyDir volumes, each at the rate that was drawn at its start.
//
// Nothing is counted while nothing is asked: all sizes are functions of the moment. Layers and logs go with their container,
// volumes with their pod. Logs are rotated as the real node agent rotates them, so that they take no more than 50 MiB a
// container. Owned by a SimulatedRuntime. Not modelled: a write that fails for want of room, inodes, volumes in memory.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/time.h"
#include "control/kubelet/container_runtime.h"

namespace minik::sim {

// No disk is larger, and sums of many stay in their type.
inline constexpr int64_t kDiskBytesMax = 1LL << 50;

// Of one container, drawn.
struct DiskWrites {
  int64_t layer_bytes = 0;  // at its start
  int64_t layer_rate = 0, log_rate = 0, volume_rate = 0;  // bytes a second; the last for each of its volumes
};

class SimulatedDisk {
 public:
  // 0: as large as anybody likes.
  void set_capacity(int64_t bytes) { capacity_bytes_ = bytes; }
  // Somebody else has taken all that was left.
  void set_full(bool full) { full_ = full; }

  void add_image(const std::string& reference, int64_t bytes) { images_[reference] = bytes; }
  void remove_image(const std::string& reference) { images_.erase(reference); }

  void started(const std::string& container_id, std::string pod_uid, std::string name, std::set<std::string> volumes, DiskWrites writes,
               Instant now);
  void ended(const std::string& container_id, Instant now);
  void remove_container(const std::string& container_id, Instant now);
  // Its volumes, and what containers that are still there have written to them.
  void remove_volumes(const std::string& pod_uid);

  bool has_room(Instant now) const { return !full_ && (capacity_bytes_ == 0 || available(now) > 0); }
  control::DiskUsage usage(const std::vector<std::string>& pod_uids, Instant now) const;

 private:
  struct Writer {
    std::string pod_uid, name;
    std::set<std::string> volumes;
    DiskWrites writes;
    Instant started, ended;  // ended 0: it writes on
  };
  int64_t available(Instant now) const;
  static int64_t grown(int64_t rate, const Writer& writer, Instant now);
  static int64_t own_bytes(const Writer& writer, Instant now);

  int64_t capacity_bytes_ = 0;
  bool full_ = false;
  std::map<std::string, int64_t> images_;
  std::map<std::string, Writer> writers_;                            // by container id; of those that write
  std::map<std::string, std::map<std::string, int64_t>> volumes_;  // by pod uid: what removed containers have left there
};

}  // namespace minik::sim
