#include "control/controllers/volume_cleaner.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/object/volume_match.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr Duration kRetryFirst = seconds(2);
constexpr int kDoublingsMax = 6;

bool is_to_be_cleaned(const Value& volume) {
  return volume[keys::kStatus][keys::kPhase].as_string() == "Released" && !is_deleting(volume) &&
         volume[keys::kSpec][keys::kPersistentVolumeReclaimPolicy].as_string() == "Delete" &&
         annotation(volume, volume_notes::kProvisionedBy).as_string() == kLocalPathProvisioner;
}

}  // namespace

VolumeCleaner::VolumeCleaner(Executor& executor, Client& client, InformerSet& informers,
                             EventRecorder& events, RemoveVolumeDirectory remove)
    : executor_(executor),
      client_(client),
      events_(events),
      remove_(std::move(remove)),
      volumes_(informers.of(kinds::kPersistentvolumes)),
      alive_(std::make_shared<bool>(true)) {
  volumes_.subscribe([this, alive = alive_](const Value&, const Value& after) {
    if (*alive && is_to_be_cleaned(after)) look_at(std::string(object_name(after)));
  });
}

VolumeCleaner::~VolumeCleaner() {
  *alive_ = false;
}

void VolumeCleaner::look_at(const std::string& name) {
  if (!at_work_.try_emplace(name, 0).second) return;
  const Value volume = volumes_.cache().find("", name);
  remove_(annotation(volume, volume_notes::kSelectedNode).string(),
          volume[keys::kSpec][keys::kHostPath][keys::kPath].string(),
          [this, alive = alive_, volume](const Status& status) {
            if (*alive) removed(volume, status);
          });
}

void VolumeCleaner::removed(const Value& volume, const Status& status) {
  const std::string name(object_name(volume));
  if (!status.ok()) {
    events_.record({typed(volume, "v1", "PersistentVolume"), "Warning", "VolumeFailedDelete",
                    status.error().message});
    try_again(name);
    return;
  }
  ApiRequest request;
  request.verb = Verb::kDelete;
  request.kind = kinds::kPersistentvolumes;
  request.name = name;
  request.options.preconditions.uid = object_uid(volume);
  client_.send(std::move(request), [this, alive = alive_, name](const Result<ApiResponse>& result) {
    if (!*alive) return;
    if (result || result.error().code == ErrorCode::kNotFound) {
      at_work_.erase(name);
    } else {
      try_again(name);
    }
  });
}

void VolumeCleaner::try_again(const std::string& name) {
  const int failures = at_work_[name]++;
  executor_.after(kRetryFirst * (1 << std::min(failures, kDoublingsMax)),
                  [this, alive = alive_, name] {
                    if (!*alive) return;
                    const int count = at_work_[name];
                    at_work_.erase(name);
                    if (!is_to_be_cleaned(volumes_.cache().find("", name))) return;
                    look_at(name);
                    // It may have been answered already.
                    if (const auto found = at_work_.find(name); found != at_work_.end())
                      found->second = count;
                  });
}

}  // namespace minik::control
