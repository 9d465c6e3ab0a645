// The image half of ContainerAdapter.
#include "minik/process/container_adapter.h"

#include <algorithm>

#include "control/base/text.h"
#include "runtime/image/registry_client.h"

namespace minik {

using control::ImageStatus;

namespace {

constexpr const char* kBuiltInImage = "docker.io/minik/demo:latest";

ImageStatus image_status(const runtime::ImageInfo& info) {
  ImageStatus status;
  status.id = info.id.text();
  status.tags = info.names;
  status.digests = info.repo_digests;
  status.size_bytes = info.size_bytes;
  status.user = info.config.user;
  return status;
}

}  // namespace

void ContainerAdapter::find_image(const std::string& reference, Done<ImageStatus> done) {
  run<ImageStatus>(
      [this, reference]() -> Result<ImageStatus> {
        MINIK_ASSIGN(const auto info, images_.find(reference));
        return image_status(info);
      },
      std::move(done));
}

void ContainerAdapter::pull_image(const std::string& reference,
                                  std::optional<control::PullCredentials> credentials,
                                  Done<ImageStatus> done) {
  run_on<ImageStatus>(
      transfers_,
      [this, reference, credentials = std::move(credentials)]() -> Result<ImageStatus> {
        // The image that is made from this very program is in no registry: pulling it is finding
        // it.
        if (auto here = images_.find(reference)) {
          const auto& names = here->names;
          if (std::find(names.begin(), names.end(), kBuiltInImage) != names.end())
            return image_status(*here);
        }
        runtime::TransferOptions options;
        options.cancelled = &transfers_cancelled_;
        if (credentials) options.credentials = {credentials->username, credentials->password};
        MINIK_ASSIGN(const auto info, runtime::pull_image(images_, reference, options));
        return image_status(info);
      },
      std::move(done));
}

void ContainerAdapter::list_images(Done<std::vector<ImageStatus>> done) {
  run<std::vector<ImageStatus>>(
      [this]() -> Result<std::vector<ImageStatus>> {
        MINIK_ASSIGN(const auto list, images_.list());
        std::vector<ImageStatus> all;
        for (const auto& info : list) all.push_back(image_status(info));
        return all;
      },
      std::move(done));
}

void ContainerAdapter::remove_image(const std::string& id, Done<Unit> done) {
  run<Unit>(
      [this, id]() -> Result<Unit> {
        MINIK_TRY(images_.remove(id, images_of(engine_->containers(), images_)));
        return Unit{};
      },
      std::move(done));
}

runtime::ImagesInUse images_of(const std::vector<runtime::ContainerInfo>& containers, const runtime::ImageStore& images) {
  runtime::ImagesInUse in_use;
  for (const auto& container : containers) {
    const auto id = container.annotations.find(std::string(kImageNote));
    const auto shown = container.annotations.find("minik.image-id");  // of a container that an earlier version has made
    if (id != container.annotations.end()) {
      if (const auto digest = runtime::Digest::parse(id->second)) in_use.insert(*digest);
    } else if (shown != container.annotations.end()) {
      if (const auto image = images.find(shown->second)) in_use.insert(image->id);
    }
  }
  return in_use;
}

}  // namespace minik
