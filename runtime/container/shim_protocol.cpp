#include "runtime/container/shim_protocol.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "control/base/text.h"

namespace minik::runtime {

namespace {

constexpr size_t kDescriptorsMax = 4;

Error deaf() { return {ErrorCode::kTimeout, "the container's shim does not answer"}; }

// A socket's address holds 107 bytes; a deep state directory is reached through its descriptor.
Result<sockaddr_un> address_of(const std::string& path, int& directory) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::string name = path;
  directory = -1;
  if (path.size() >= sizeof address.sun_path) {
    const size_t slash = path.rfind('/');
    directory = open(path.substr(0, slash).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return error_from_errno(errno, cat("open ", path.substr(0, slash)));
    name = cat("/proc/self/fd/", directory, path.substr(slash));
  }
  std::memcpy(address.sun_path, name.c_str(), name.size() + 1);
  return address;
}

}  // namespace

Status send_message(int socket, const std::string& bytes, const std::vector<int>& descriptors) {
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(kDescriptorsMax * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!descriptors.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(descriptors.size() * sizeof(int));
    cmsghdr* head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
    std::memcpy(CMSG_DATA(head), descriptors.data(), descriptors.size() * sizeof(int));
  }
  if (sendmsg(socket, &message, MSG_NOSIGNAL) >= 0) return {};
  return errno == EAGAIN ? deaf() : error_from_errno(errno, "talk to the container's shim");
}

Result<std::string> receive_message(int socket, std::vector<int>* descriptors) {
  std::string bytes(kShimMessageBytesMax, '\0');
  iovec part{bytes.data(), bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(kDescriptorsMax * sizeof(int))];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t n = 0;
  do {
    n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (n < 0 && errno == EINTR);
  if (n < 0) return errno == EAGAIN ? deaf() : error_from_errno(errno, "hear the container's shim");
  for (cmsghdr* head = CMSG_FIRSTHDR(&message); head; head = CMSG_NXTHDR(&message, head)) {
    if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(head) + i * sizeof fd, sizeof fd);
      if (descriptors) {
        descriptors->push_back(fd);
      } else {
        close(fd);
      }
    }
  }
  bytes.resize(static_cast<size_t>(n));
  return bytes;
}

Result<int> listen_at(const std::string& path) {
  unlink(path.c_str());
  int directory = -1;
  MINIK_ASSIGN(const auto address, address_of(path, directory));
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  const bool ok = fd >= 0 && bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                  listen(fd, 64) == 0;
  const int error = errno;
  if (directory >= 0) close(directory);
  if (ok) return fd;
  if (fd >= 0) close(fd);
  return error_from_errno(error, cat("listen at ", path));
}

void limit_calls(int socket, Duration limit) {
  timeval time{};
  time.tv_sec = limit.ns / 1'000'000'000;
  time.tv_usec = limit.ns % 1'000'000'000 / 1000;
  for (const int direction : {SO_RCVTIMEO, SO_SNDTIMEO}) setsockopt(socket, SOL_SOCKET, direction, &time, sizeof time);
}

Result<int> connect_to(const std::string& path, Duration limit) {
  int directory = -1;
  MINIK_ASSIGN(const auto address, address_of(path, directory));
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd >= 0) limit_calls(fd, limit);
  const bool ok = fd >= 0 && connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  const int error = errno;
  if (directory >= 0) close(directory);
  if (ok) return fd;
  if (fd >= 0) close(fd);
  return error == EAGAIN ? deaf() : error_from_errno(error, cat("connect to ", path));
}

}  // namespace minik::runtime
