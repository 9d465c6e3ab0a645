#include "runtime/image/registry_client.h"

#include <algorithm>
#include <vector>

#include "control/base/log.h"
#include "control/base/text.h"
#include "runtime/image/archive_reader.h"
#include "runtime/image/limits.h"
#include "runtime/image/registry_session.h"

namespace minik::runtime {
namespace {

constexpr int kDownloadAttempts = 3;

std::string accepted_manifests() {
  return cat(media_type::kIndex, ", ", media_type::kManifest, ", ", media_type::kDockerIndex, ", ",
             media_type::kDockerManifest);
}

// Worth another try: the line broke, rather than the answer being no.
bool passing(const Error& error) {
  return error.code == ErrorCode::kServiceUnavailable || error.code == ErrorCode::kTimeout;
}

class Puller {
 public:
  Puller(ImageStore& store, const Reference& reference, const TransferOptions& options)
      : store_(store), reference_(reference), options_(options), session_(reference, options) {}

  Result<ImageInfo> pull() {
    MINIK_ASSIGN(const ContentLease lease, store_.content().lease());
    const bool by_digest = !reference_.digest.empty();
    MINIK_ASSIGN(const Descriptor target,
                 fetch_manifest(by_digest ? reference_.digest : reference_.tag));
    MINIK_TRY(fetch_tree(target, 0));
    std::vector<std::string> names = {cat(reference_.name(), "@", target.digest.text())};
    if (!by_digest) names.push_back(cat(reference_.name(), ":", reference_.tag));
    return store_.adopt(target, names, options_.unpack, lease);
  }

 private:
  // By tag or digest; stored when it is what was asked for.
  Result<Descriptor> fetch_manifest(const std::string& tag_or_digest) {
    HttpRequest request;
    request.headers.emplace_back("Accept", accepted_manifests());
    MINIK_ASSIGN(const HttpResponse response,
                 session_.request(request, cat("manifests/", tag_or_digest)));
    if (response.status != 200) {
      return session_.failure(response, cat("get the manifest of ", reference_.familiar()));
    }
    MINIK_ASSIGN(BlobWriter blob, store_.content().writer());
    MINIK_TRY(blob.write(response.body));
    std::optional<Digest> expected;
    if (tag_or_digest.starts_with("sha256:")) {
      MINIK_ASSIGN(expected, Digest::parse(tag_or_digest));
    }
    MINIK_ASSIGN(std::string type, document_media_type(response.body));
    auto stored = blob.commit(expected);
    if (!stored) return std::move(stored).error().in("manifest");
    Descriptor descriptor;
    descriptor.media_type = std::move(type);
    descriptor.digest = stored->digest;
    descriptor.size = stored->size;
    return descriptor;
  }

  Status fetch_tree(const Descriptor& target, int depth) {
    MINIK_ASSIGN(const std::string document,
                 store_.content().read(target.digest, kDocumentBytesMax));
    MINIK_ASSIGN(const bool indexed, is_index(document));
    if (indexed) {
      if (depth >= kIndexDepthMax) return Error(ErrorCode::kInvalid, "indexes nest too deep");
      MINIK_ASSIGN(const Index index, parse_index(document));
      const Platform host = host_platform();
      const Descriptor* chosen = choose_platform(index, host);
      if (chosen == nullptr) {
        return Error(ErrorCode::kInvalid,
                     cat("the image is not built for ", host.os, "/", host.architecture,
                         " but for ", platforms_text(index)));
      }
      MINIK_ASSIGN(const Descriptor manifest, fetch_manifest(chosen->digest.text()));
      return fetch_tree(manifest, depth + 1);
    }
    MINIK_ASSIGN(const Manifest manifest, parse_manifest(document));
    MINIK_TRY(fetch_blob(manifest.config));
    for (const Descriptor& layer : manifest.layers) MINIK_TRY(fetch_blob(layer));
    return {};
  }

  Status fetch_blob(const Descriptor& blob) {
    if (store_.content().has(blob.digest)) {
      report({blob.digest, blob.size, blob.size, true});
      return {};
    }
    MINIK_ASSIGN(BlobWriter writer, store_.content().writer());
    bool storable = true;  // a full disk is not mended by asking the registry again
    for (int attempt = 1;; ++attempt) {
      auto fetched = download(blob, writer, storable);
      if (fetched) break;
      if (attempt == kDownloadAttempts || !storable || !passing(fetched.error())) {
        return std::move(fetched).error().in(cat("blob ", blob.digest.text()));
      }
      MINIK_LOG(kWarning, "image", cat("pull goes on after: ", fetched.error().message));
    }
    auto committed = writer.commit(blob.digest);
    if (!committed) return std::move(committed).error().in(cat("blob ", blob.digest.text()));
    return {};
  }

  // Goes on behind what the writer has. A server that starts over is heard up to there.
  Status download(const Descriptor& blob, BlobWriter& writer, bool& storable) {
    HttpRequest request;
    const int64_t start = writer.size();
    if (start > 0) request.headers.emplace_back("Range", cat("bytes=", start, "-"));
    int64_t heard = 0;
    const auto sink = [&](const HttpResponse& head, std::string_view bytes) -> Status {
      if (heard == 0 && head.status == 206) heard = start;
      const int64_t before = heard;
      heard += static_cast<int64_t>(bytes.size());
      if (heard <= start) return {};
      if (before < start) bytes.remove_prefix(static_cast<size_t>(start - before));
      if (heard > blob.size) {
        storable = false;
        return Error(ErrorCode::kInvalid,
                     cat("it is larger than the ", blob.size, " bytes that its manifest says"));
      }
      auto written = writer.write(bytes);
      storable = written.ok();
      if (!written) return written;
      report({blob.digest, writer.size(), blob.size, false});
      return {};
    };
    MINIK_ASSIGN(const HttpResponse response,
                 session_.request(request, cat("blobs/", blob.digest.text()), sink));
    if (response.status != 200 && response.status != 206) {
      return session_.failure(response, "get a layer");
    }
    if (writer.size() < blob.size) {
      return Error(ErrorCode::kServiceUnavailable,
                   cat("only ", writer.size(), " of ", blob.size, " bytes came"));
    }
    return {};
  }

  void report(const TransferProgress& progress) const {
    if (options_.progress) options_.progress(progress);
  }

  ImageStore& store_;
  const Reference& reference_;
  const TransferOptions& options_;
  RegistrySession session_;
};

class Pusher {
 public:
  Pusher(const ImageStore& store, const Reference& reference, const TransferOptions& options)
      : content_(store.content()), options_(options), session_(reference, options) {}

  // The target under the tag; an index with the platforms that are here, if that is all of them.
  Result<Digest> push(const ImageInfo& image, const std::string& tag) {
    MINIK_ASSIGN(const ContentLease lease, content_.lease());
    Digest target = image.target;
    if (target != image.manifest) {
      MINIK_ASSIGN(const std::string document, content_.read(target, kDocumentBytesMax));
      MINIK_ASSIGN(const Index index, parse_index(document));
      const bool whole =
          std::all_of(index.manifests.begin(), index.manifests.end(),
                      [&](const Descriptor& entry) { return content_.has(entry.digest); });
      if (!whole) target = image.manifest;
    }
    MINIK_TRY(send_tree(target, tag, 0));
    return target;
  }

 private:
  Status send_tree(const Digest& digest, const std::string& tag, int depth) {
    MINIK_ASSIGN(const std::string document, content_.read(digest, kDocumentBytesMax));
    MINIK_ASSIGN(const bool indexed, is_index(document));
    MINIK_ASSIGN(const std::string type, document_media_type(document));
    if (indexed) {
      if (depth >= kIndexDepthMax) return Error(ErrorCode::kInvalid, "indexes nest too deep");
      MINIK_ASSIGN(const Index index, parse_index(document));
      for (const Descriptor& entry : index.manifests) {
        MINIK_TRY(send_tree(entry.digest, entry.digest.text(), depth + 1));
      }
    } else {
      MINIK_ASSIGN(const Manifest manifest, parse_manifest(document));
      for (const Descriptor& layer : manifest.layers) MINIK_TRY(send_blob(layer));
      MINIK_TRY(send_blob(manifest.config));
    }
    HttpRequest request;
    request.method = "PUT";
    request.headers.emplace_back("Content-Type", type);
    request.body = document;
    MINIK_ASSIGN(const HttpResponse response,
                 session_.request(std::move(request), cat("manifests/", tag)));
    if (response.status != 201) return session_.failure(response, "put the manifest");
    return {};
  }

  Status send_blob(const Descriptor& blob) {
    const auto report = [&](int64_t done, bool skipped) {
      if (options_.progress) options_.progress({blob.digest, done, blob.size, skipped});
    };
    HttpRequest look;
    look.method = "HEAD";
    const std::string path = cat("blobs/", blob.digest.text());
    MINIK_ASSIGN(const HttpResponse present, session_.request(std::move(look), path));
    if (present.status == 200) {
      report(blob.size, true);
      return {};
    }
    HttpRequest begin;
    begin.method = "POST";
    MINIK_ASSIGN(const HttpResponse begun, session_.request(std::move(begin), "blobs/uploads/"));
    if (begun.status != 202) return session_.failure(begun, "begin an upload");
    MINIK_ASSIGN(Url place, session_.resolve(begun.header("location")));
    place.target += cat(place.target.find('?') == std::string::npos ? "?" : "&",
                        "digest=", encode_query(blob.digest.text()));

    MINIK_ASSIGN(const UniqueFd fd, content_.open_blob(blob.digest));
    const ByteSource source = source_from_fd(fd.get(), content_.blob_path(blob.digest));
    std::string buffer(kCopyBytes, '\0');
    int64_t done = 0;
    HttpRequest upload;
    upload.method = "PUT";
    upload.headers.emplace_back("Content-Type", "application/octet-stream");
    upload.body_size = blob.size;
    upload.body_source = [&]() -> Result<std::string_view> {
      MINIK_ASSIGN(const size_t got, source(buffer.data(), buffer.size()));
      done += static_cast<int64_t>(got);
      report(done, false);
      return std::string_view(buffer.data(), got);
    };
    MINIK_ASSIGN(const HttpResponse response, session_.request_at(std::move(upload), place));
    if (response.status != 201) return session_.failure(response, "send a layer");
    return {};
  }

  const ContentStore& content_;
  const TransferOptions& options_;
  RegistrySession session_;
};

}  // namespace

Result<Digest> push_image(const ImageStore& store, const std::string& text, const TransferOptions& options) {
  MINIK_ASSIGN(const Reference reference, parse_reference(text));
  if (!reference.digest.empty()) {
    return Error(ErrorCode::kInvalid, cat("push ", text, ": give a name and a tag, not a digest"));
  }
  MINIK_ASSIGN(const ImageInfo image, store.find(text));
  auto pushed = Pusher(store, reference, options).push(image, reference.tag);
  if (!pushed) return std::move(pushed).error().in(cat("push ", reference.familiar()));
  return pushed;
}

Result<ImageInfo> pull_image(ImageStore& store, const std::string& text,
                             const TransferOptions& options) {
  MINIK_ASSIGN(const Reference reference, parse_reference(text));
  auto pulled = Puller(store, reference, options).pull();
  if (pulled) return pulled;
  if (auto collected = store.collect_garbage(); !collected) {
    MINIK_LOG(kWarning, "image", collected.error().message);
  }
  return std::move(pulled).error().in(cat("pull ", reference.familiar()));
}

}  // namespace minik::runtime
