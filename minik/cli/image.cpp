#include <cstdio>
#include <cstdlib>

#include "control/base/text.h"
#include "control/object/json.h"
#include "minik/cli/command.h"
#include "minik/cli/profile_use.h"
#include "minik/process/container_adapter.h"
#include "runtime/container/engine.h"
#include "runtime/image/image_load.h"
#include "runtime/image/image_save.h"
#include "runtime/image/image_store.h"
#include "runtime/image/reference.h"
#include "runtime/image/registry_auth.h"
#include "runtime/image/registry_client.h"

namespace minik::cli {

namespace {

std::unique_ptr<runtime::ImageStore> open_store(const Globals& globals) {
  return value_or_fail(runtime::ImageStore::open(existing_profile(globals).images()));
}

// Of every container that there is, whether the cluster runs or its daemon has died: containers outlive it.
runtime::ImagesInUse images_in_use(const Globals& globals, const runtime::ImageStore& images) {
  const Profile profile = existing_profile(globals);
  return images_of(runtime::Engine::recorded_containers(profile.run() + "/containers"), images);
}

std::string size_text(int64_t bytes) {
  if (bytes < 1000) return cat(bytes, "B");
  const char* units[] = {"kB", "MB", "GB", "TB"};
  int64_t tenths = bytes / 100;
  size_t unit = 0;
  while (tenths >= 10'000 && unit < 3) {
    tenths /= 1000;
    ++unit;
  }
  return cat(tenths / 10, ".", tenths % 10, units[unit]);
}

void list(const Globals& globals, const std::string& format) {
  const auto images = value_or_fail(open_store(globals)->list());
  if (format == "json") {
    std::vector<control::Value> items;
    for (const auto& image : images) {
      std::vector<control::Value> names;
      for (const auto& name : image.names) names.emplace_back(name);
      items.push_back(control::Value::map({{"id", image.id.text()},
                                           {"names", control::Value::array(std::move(names))},
                                           {"sizeBytes", image.size_bytes}}));
    }
    std::fputs(control::to_pretty_json(control::Value::array(std::move(items))).c_str(), stdout);
    return;
  }
  std::printf("%-56s %-14s %s\n", "IMAGE", "ID", "SIZE");
  for (const auto& image : images) {
    // What was pulled by its digest has no other name.
    auto names = image.names.empty() ? image.repo_digests : image.names;
    if (names.empty()) names = {"<none>"};
    for (const auto& name : names) {
      std::printf("%-56s %-14.12s %s\n", name.c_str(), std::string(image.id.hex()).c_str(),
                  size_text(image.size_bytes).c_str());
    }
  }
}

// As the registry of this image knows us: what `docker login` keeps in $DOCKER_CONFIG or ~/.docker.
runtime::TransferOptions transfer(const std::string& image) {
  const char* folder = std::getenv("DOCKER_CONFIG");
  const char* home = std::getenv("HOME");
  const auto reference = value_or_fail(runtime::parse_reference(image));
  runtime::TransferOptions options;
  options.credentials = runtime::docker_credentials(
      folder && *folder ? cat(folder, "/config.json") : cat(home ? home : "", "/.docker/config.json"), reference.domain);
  return options;
}

void remove(const Globals& globals, const std::string& reference, bool force) {
  const auto store = open_store(globals);
  const auto image = value_or_fail(store->find(reference));
  const bool by_id = image.id.hex().starts_with(reference) || image.id.text().starts_with(reference);
  if (by_id && image.names.size() > 1 && !force) {
    fail(Error(ErrorCode::kConflict, cat("image ", reference, " has ", image.names.size(), " names: ", join(image.names, ", "),
                                         "; remove them one by one, or the image with --force")));
  }
  const auto removed = value_or_fail(store->remove(reference, images_in_use(globals, *store)));
  for (const auto& name : removed.untagged) std::printf("Untagged: %s\n", name.c_str());
  if (removed.deleted) std::printf("Deleted: %s\n", removed.id.text().c_str());
}

}  // namespace

void add_image(Command app, Globals& globals) {
  const auto image = app.add_command("image", "Images of the cluster");
  image.footer("Example: minik image load app.tar");
  static std::string first, second, format = "text";
  static std::vector<std::string> several;
  static bool force = false;

  const auto ls = image.add_command("ls", "List images");
  ls.add_option("-o,--output", format, "text or json").one_of({"text", "json"});
  ls.footer("Example: minik image ls");
  ls.callback([&globals] { list(globals, format); });

  const auto load = image.add_command(
      "load", "Load a docker-save archive or an OCI layout (archive or directory)");
  load.add_option("path", first, "The archive or directory").required();
  load.footer("Example: docker save app:1 -o app.tar; minik image load app.tar");
  load.callback([&globals] {
    const auto store = open_store(globals);
    for (const auto& loaded : value_or_fail(runtime::load_images(*store, first))) {
      std::printf("Loaded image: %s\n", loaded.names.empty() ? loaded.id.text().c_str()
                                                             : join(loaded.names, ", ").c_str());
    }
  });

  const auto save = image.add_command("save", "Save images as an archive that docker load takes");
  save.add_option("image", several, "The images").required();
  save.add_option("-o,--output", second, "The archive to write").required();
  save.footer("Example: minik image save app:1 web:2 -o images.tar");
  save.callback([&globals] { check(runtime::save_images(*open_store(globals), several, second)); });

  const auto tag = image.add_command("tag", "Give an image another name");
  tag.add_option("image", first, "An existing image").required();
  tag.add_option("name", second, "The new name").required();
  tag.footer("Example: minik image tag app:1 localhost:5000/app:1");
  tag.callback([&globals] { value_or_fail(open_store(globals)->tag(first, second)); });

  const auto rm = image.add_command("rm", "Remove names, and with its last name an image");
  rm.add_option("image", several, "The images").required();
  rm.add_flag("-f,--force", force, "An image by its id, although it has several names");
  rm.footer("Example: minik image rm app:1 web:2");
  rm.callback([&globals] {
    for (const auto& reference : several) remove(globals, reference, force);
  });

  const auto pull = image.add_command("pull", "Pull an image from a registry");
  pull.add_option("image", first, "The image").required();
  pull.footer("Example: minik image pull localhost:5000/app:1\nFrom a private registry: as `docker login` did.");
  pull.callback([&globals] {
    const auto pulled = value_or_fail(runtime::pull_image(*open_store(globals), first, transfer(first)));
    std::printf("Pulled %s\n", pulled.id.text().c_str());
  });

  const auto push = image.add_command("push", "Push an image to the registry that its name says");
  push.add_option("image", first, "The image").required();
  push.footer("Example: minik image push localhost:5000/app:1\nTo a private registry: as `docker login` did.");
  push.callback([&globals] {
    const auto digest = value_or_fail(runtime::push_image(*open_store(globals), first, transfer(first)));
    std::printf("Pushed %s: digest: %s\n", first.c_str(), digest.text().c_str());
  });
}

}  // namespace minik::cli
