// What engine and shim say to each other over the container's socket (SOCK_SEQPACKET, one message each).
//
//   engine -> shim                          shim -> engine
//   wait                                    exit <code> <signal> <finished ns> <oom>   when it ends
//   signal <n>                              ok | error <text>
//   resize <rows> <columns>                 ok | error <text>
//   exec <spec> + fds stdin,stdout,stderr   started <pid> | error <text>; then exit <code>
//   attach + fds stdin?,stdout,stderr       ok | error <text>; the descriptors are served from then on
//   (closing an exec's connection kills what it started)
#pragma once

#include <string>
#include <vector>

#include "control/base/result.h"
#include "control/base/time.h"

namespace minik::runtime {

enum class ShimMessage : int64_t { kWait, kSignal, kResize, kExec, kAttach, kOk, kError, kStarted, kExit };

struct ExecSpec {
  std::vector<std::string> args;
  std::vector<std::string> env;  // added to the container's own
  bool terminal = false;
};

constexpr size_t kShimMessageBytesMax = 256 * 1024;
// From the request until the program runs. What happens in between, a look into /etc/group for instance, is the container's.
constexpr Duration kExecStartLimit = seconds(10);

// Sends one message with descriptors attached; blocking, without SIGPIPE.
Status send_message(int socket, const std::string& bytes, const std::vector<int>& descriptors = {});
// Receives one; an empty message is the end of the connection.
Result<std::string> receive_message(int socket, std::vector<int>* descriptors = nullptr);
// Listens on, or connects to, a path of any length.
Result<int> listen_at(const std::string& path);
// With a limit, no call on the connection takes longer.
Result<int> connect_to(const std::string& path, Duration limit = {});
// The limit of every later call; none lasts for ever.
void limit_calls(int socket, Duration limit);

}  // namespace minik::runtime
