#include <cstdio>

#include "control/base/text.h"
#include "control/object/json.h"
#include "minik/cli/command.h"
#include "minik/cli/profile_use.h"
#include "minik/process/container_adapter.h"
#include "runtime/container/engine.h"
#include "runtime/image/image_load.h"
#include "runtime/image/image_save.h"
#include "runtime/image/image_store.h"
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
    const auto names = image.names.empty() ? std::vector<std::string>{"<none>"} : image.names;
    for (const auto& name : names) {
      std::printf("%-56s %-14.12s %s\n", name.c_str(), std::string(image.id.hex()).c_str(),
                  size_text(image.size_bytes).c_str());
    }
  }
}

}  // namespace

void add_image(CLI::App& app, Globals& globals) {
  auto* image = app.add_subcommand("image", "Images of the cluster");
  image->require_subcommand(1);
  image->footer("Example: minik image load app.tar");
  static std::string first, second, format = "text";

  auto* ls = image->add_subcommand("ls", "List images");
  ls->add_option("-o,--output", format, "text or json")->check(CLI::IsMember({"text", "json"}));
  ls->callback([&globals] { list(globals, format); });

  auto* load = image->add_subcommand(
      "load", "Load a docker-save archive or an OCI layout (archive or directory)");
  load->add_option("path", first, "The archive or directory")->required();
  load->callback([&globals] {
    const auto store = open_store(globals);
    for (const auto& loaded : value_or_fail(runtime::load_images(*store, first))) {
      std::printf("Loaded image: %s\n", loaded.names.empty() ? loaded.id.text().c_str()
                                                             : join(loaded.names, ", ").c_str());
    }
  });

  auto* save = image->add_subcommand("save", "Save an image as an archive that docker load takes");
  save->add_option("image", first, "The image")->required();
  save->add_option("-o,--output", second, "The archive to write")->required();
  save->callback(
      [&globals] { check(runtime::save_images(*open_store(globals), {first}, second)); });

  auto* tag = image->add_subcommand("tag", "Give an image another name");
  tag->add_option("image", first, "An existing image")->required();
  tag->add_option("name", second, "The new name")->required();
  tag->callback([&globals] { value_or_fail(open_store(globals)->tag(first, second)); });

  auto* rm = image->add_subcommand("rm", "Remove a name, and with its last name the image");
  rm->add_option("image", first, "The image")->required();
  rm->callback([&globals] {
    const auto store = open_store(globals);
    const auto removed = value_or_fail(store->remove(first, images_in_use(globals, *store)));
    for (const auto& name : removed.untagged) std::printf("Untagged: %s\n", name.c_str());
  });

  auto* pull = image->add_subcommand("pull", "Pull an image from a registry");
  pull->add_option("image", first, "The image")->required();
  pull->callback([&globals] {
    const auto pulled = value_or_fail(runtime::pull_image(*open_store(globals), first, {}));
    std::printf("Pulled %s\n", pulled.id.text().c_str());
  });

  auto* push = image->add_subcommand("push", "Push an image to the registry that its name says");
  push->add_option("image", first, "The image")->required();
  push->callback([&globals] { check(runtime::push_image(*open_store(globals), first, {})); });
}

}  // namespace minik::cli
