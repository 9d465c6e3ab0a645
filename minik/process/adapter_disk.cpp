// What pods have written to this machine's disk.
#include <poll.h>
#include <sys/statvfs.h>

#include <filesystem>
#include <set>

#include "control/base/text.h"
#include "minik/process/container_adapter.h"
#include "minik/process/empty_dir.h"
#include "runtime/container/files.h"

namespace minik {

namespace {

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    names.push_back(at->path().filename());
  }
  return names;
}

bool readable(int fd) {
  pollfd one{fd, POLLIN, 0};
  return poll(&one, 1, 0) > 0;
}

}  // namespace

void ContainerAdapter::disk_usage(std::vector<std::string> pod_uids, Done<control::DiskUsage> done) {
  run_on<control::DiskUsage>(
      probes_,
      [this, pod_uids = std::move(pod_uids)]() -> Result<control::DiskUsage> {
        control::DiskUsage usage;
        const auto stopped = [this] { return readable(closing_.get()); };
        const auto bytes_in = [&](const std::string& tree, control::DiskUsage::Pod& of) {
          const auto taken = runtime::usage_on_disk(tree, stopped);
          of.inodes += taken.inodes;
          return taken.bytes;
        };
        struct statvfs disk {};
        if (statvfs(paths_.pods.c_str(), &disk) == 0) {
          const auto unit = static_cast<int64_t>(disk.f_frsize);
          usage.capacity_bytes = static_cast<int64_t>(disk.f_blocks) * unit;
          usage.available_bytes = static_cast<int64_t>(disk.f_bavail) * unit;
          usage.inodes = static_cast<int64_t>(disk.f_files);  // 0: it makes them as they are needed
          usage.inodes_free = static_cast<int64_t>(disk.f_favail);
        }
        for (const auto& uid : pod_uids) {
          auto& pod = usage.pods[uid];
          const std::string volumes = pod_volume_root(uid);
          for (const auto& name : names_in(volumes)) {
            const std::string volume = cat(volumes, "/", name);
            if (!is_mounted(volume)) pod.volumes[name] = bytes_in(volume, pod);
          }
        }
        if (usage.pods.empty()) return usage;
        std::map<std::string, std::string> pod_of;  // by sandbox
        for (const auto& info : engine_->sandboxes()) pod_of[info.config.id] = sandbox_status_of(info).uid;
        for (const auto& info : engine_->containers()) {
          const auto pod = usage.pods.find(pod_of[info.sandbox_id]);
          if (pod == usage.pods.end()) continue;
          pod->second.containers[status_of(info).name] += bytes_in(engine_->layer_directory(info.id), pod->second);
        }
        for (const auto& directory : names_in(paths_.logs)) {
          // namespace_name_uid, each container's in a directory of its own.
          const auto pod = usage.pods.find(directory.substr(directory.rfind('_') + 1));
          if (pod == usage.pods.end()) continue;
          for (const auto& name : names_in(cat(paths_.logs, "/", directory))) {
            pod->second.containers[name] += bytes_in(cat(paths_.logs, "/", directory, "/", name), pod->second);
          }
        }
        // What was counted while everything ends is not the truth.
        if (stopped()) return Error(ErrorCode::kServiceUnavailable, "the node agent ends");
        return usage;
      },
      std::move(done));
}

void ContainerAdapter::remove_pod_volumes(const std::string& pod_uid, Done<Unit> done) {
  run<Unit>(
      [directory = pod_volume_root(pod_uid)]() -> Result<Unit> {
        MINIK_TRY(runtime::remove_mounted_tree(directory));
        return Unit{};
      },
      std::move(done));
}

}  // namespace minik
