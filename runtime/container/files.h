// Small blocking file helpers of the container engine: whole files in and out, directories, removal of
// trees. Errors name the path.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "control/base/result.h"

namespace minik::runtime {

// A file descriptor that is closed with its owner.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) close(fd_);
  }
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

Result<std::string> read_whole_file(const std::string& path);
// Of what somebody else may have put there, a pipe without a writer or a file without an end: only a regular file of at
// most so many bytes.
Result<std::string> read_foreign_file(const std::string& path, size_t bytes_max);
// The last bytes of such a file, however long it is.
Result<std::string> read_end_of_foreign_file(const std::string& path, size_t bytes_max);
// For kernel files: one write, no creation.
Status write_kernel_file(const std::string& path, std::string_view text);
// Written aside and renamed: readers see the old file or the new one.
Status write_file_atomically(const std::string& path, std::string_view text, int mode = 0600);
// Room for a file of so many bytes that must be written even when the disk is full by then, with write_reserved_file().
Status reserve_file(const std::string& path, size_t bytes);
Status write_reserved_file(const std::string& path, std::string_view text);
Status make_directories(const std::string& path, int mode = 0755);
// Whatever is mounted there and below, the innermost first.
Status unmount_below(const std::string& path);
// Also unmounts what is mounted below; missing is fine.
Status remove_mounted_tree(const std::string& path);
// What a tree takes of its file system: a share of a file for each of its names, so that one with several counts once. Not
// what is mounted below. Whoever runs in there goes on writing, and may mean harm: no link is followed, what vanishes
// meanwhile is not counted, and neither is what lies more than 256 directories deep or comes after the first two million
// entries. Ends early, with what it has, when `stopped`, which it asks again and again, says so.
struct TreeUsage {
  int64_t bytes = 0, inodes = 0;
};
TreeUsage usage_on_disk(const std::string& path, const std::function<bool()>& stopped = {});

}  // namespace minik::runtime
