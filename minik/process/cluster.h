// Cluster: one whole Kubernetes in this process. Puts together what control/ decides and what
// runtime/ and minik/net carry, on one control thread; the real counterpart of sim/cluster.h.
//
//   SqliteLog -> Store -> ApiServer <- LocalClient <- controllers, scheduler, kubelet ->
//   ContainerAdapter
//                             ^
//   HttpServer (TLS) -> ApiFront
//
// open() either gives a cluster that serves or one error line, and leaves nothing half made. run()
// returns after stop(); containers go on without us and are adopted by the next open().
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "control/base/result.h"
#include "minik/process/profile.h"

namespace minik {

class Cluster {
 public:
  static Result<std::unique_ptr<Cluster>> open(Profile profile);
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  // On the calling thread until stop(); `ready` is called when the API serves.
  void run(const std::function<void()>& ready);
  // From a signal handler's thread or any other.
  void stop();
  // The same once all containers have ended, as with a machine that is shut down; likewise from any thread.
  void shut_down();
  // Why run() ended by itself: a disk that failed; empty after stop().
  const std::string& fatal() const;
  const Profile& profile() const;

 private:
  Cluster();
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace minik
