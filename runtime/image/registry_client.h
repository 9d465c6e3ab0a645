// Pulling images from registries and pushing them there.
//
// Speaks the OCI distribution API 1.1 over HTTPS; a registry on this machine (localhost,
// 127.0.0.0/8, ::1) may speak plain HTTP. Anonymous, Basic and Bearer authentication. Of a
// multi-platform image the host's platform is pulled. Blobs that are here are not fetched, blobs
// that are there are not sent; a download that breaks goes on where it stopped, three times.
//
// Everything is verified by digest before it is visible, and the image gets its names last: a
// failed, cancelled or killed pull leaves the store as it was. Blocking, for worker threads; the
// progress callback runs on the calling thread. One call holds no state of another.
//
// Fails with kUnauthorized or kForbidden (login), kNotFound (no such repository or tag),
// kTooManyRequests (the registry's limit), kServiceUnavailable (cannot be reached), kConflict
// (cancelled), each one line that names the registry and the image. Not here: proxies, mirrors,
// schema 1, cross-repository mounts.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "control/base/result.h"
#include "runtime/image/image_store.h"
#include "runtime/image/registry_auth.h"

namespace minik::runtime {

struct TransferProgress {
  Digest blob;
  int64_t done_bytes = 0;
  int64_t total_bytes = 0;
  bool skipped = false;  // it was there already
};

struct TransferOptions {
  std::optional<RegistryCredentials> credentials;
  std::function<void(const TransferProgress&)> progress;
  const std::atomic<bool>* cancelled = nullptr;
  std::string authorities_file;  // PEM; empty: the system's
  ImageStore::Unpack unpack = ImageStore::Unpack::kNow;
};

// The image is named as asked for, and by its digest.
Result<ImageInfo> pull_image(ImageStore& store, const std::string& reference,
                             const TransferOptions& options = {});

// Sends the image that has this name to the registry that the name says: the digest that the name has there now.
Result<Digest> push_image(const ImageStore& store, const std::string& reference,
                          const TransferOptions& options = {});

}  // namespace minik::runtime
