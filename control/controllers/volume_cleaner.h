// VolumeCleaner: deletes what is behind released volumes of the policy Delete, and then the
// volumes. What a CSI external-provisioner does on deletion, for the provisioner
// rancher.io/local-path.
//
//   Released, Delete --> the node removes the directory --> the API removes the PersistentVolume
//
// The directory is the node's: removing it goes through the port that the process hands in, and a
// node that is not there now is asked again, with back-off, until it is. A repeated removal of what
// is gone succeeds, so a crash between the two steps does no harm. The write names the volume's
// uid.
//
// Owned by the ControllerManager, over its informers; control thread only. Does not touch volumes
// whose claim still holds them, nor those of other provisioners.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "control/base/executor.h"
#include "control/client/client.h"
#include "control/client/event_recorder.h"
#include "control/client/informer.h"

namespace minik::control {

// Removes a directory below the volume root on a node; answers on the control thread.
using RemoveVolumeDirectory = std::function<void(const std::string& node, const std::string& path,
                                                 std::function<void(Status)> done)>;

class VolumeCleaner {
 public:
  VolumeCleaner(Executor& executor, Client& client, InformerSet& informers, EventRecorder& events,
                RemoveVolumeDirectory remove);
  ~VolumeCleaner();
  VolumeCleaner(const VolumeCleaner&) = delete;
  VolumeCleaner& operator=(const VolumeCleaner&) = delete;

 private:
  void look_at(const std::string& name);
  void removed(const Value& volume, const Status& status);
  void try_again(const std::string& name);

  Executor& executor_;
  Client& client_;
  EventRecorder& events_;
  RemoveVolumeDirectory remove_;
  Informer& volumes_;
  // Volumes under way, by name, with how often they failed.
  std::map<std::string, int> at_work_;
  std::shared_ptr<bool> alive_;
};

}  // namespace minik::control
