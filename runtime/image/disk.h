// The disk as the image store needs it: descriptors that close themselves, whole-file reads with a
// bound, files that appear complete or not at all, removal of a tree without following a link out
// of it, and locks between processes.
//
// A file written by write_file_durably() is on disk, under its name, when the call returns; a crash
// before leaves the old content. Locks are flock(2) on a file of their own: each object opens the
// file anew, so they exclude threads as well as processes, and a killed process holds none.
// Blocking; any thread. A full disk is one error that says which folder and what to do.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "control/base/result.h"

namespace minik::runtime {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~UniqueFd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  void reset();

 private:
  int fd_ = -1;
};

// From errno, with the remedy where the disk is full or the user may not write.
Error disk_error(int error_number, std::string_view what);

// Close-on-exec always.
Result<UniqueFd> open_file(const std::string& path, int flags, mode_t mode = 0);
// Up to max bytes; a longer file is kRequestEntityTooLarge.
Result<std::string> read_file(const std::string& path, size_t max);
Result<std::string> read_all(int fd, size_t max, std::string_view what);
Status write_all(int fd, std::string_view bytes, std::string_view what);

Status make_directories(const std::string& path, mode_t mode);
Status sync_directory(const std::string& path);
// Writes the temporary file (same file system), then fsync, rename, fsync of the directory.
Status write_file_durably(const std::string& path, const std::string& temporary,
                          std::string_view bytes);
// Removes name under the directory, whatever it is; missing is success. Never crosses a link.
Status remove_tree(int directory_fd, const std::string& name);
Status remove_tree(const std::string& path);

// 16 hexadecimal digits from the kernel's generator, for names of temporary files.
std::string random_name();

class FileLock {
 public:
  static Result<FileLock> shared(const std::string& path);
  static Result<FileLock> exclusive(const std::string& path);
  // Empty when somebody holds it.
  static Result<std::optional<FileLock>> try_exclusive(const std::string& path);

 private:
  explicit FileLock(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace minik::runtime
