// minik sim import: what a real cluster exports becomes a scenario.
#include <cstdio>

#include "control/base/text.h"
#include "minik/cli/command.h"
#include "minik/cli/simulation.h"
#include "runtime/container/files.h"
#include "sim/import/import.h"

namespace minik::cli {

namespace {

struct ImportFlags {
  std::string objects, audit, events, output = "-", name = "imported";
};

sim::ImportText read(const std::string& path) {
  auto text = runtime::read_whole_file(path == "-" ? "/dev/stdin" : path);
  if (!text) fail(text.error(), kNotValid);
  return {path == "-" ? "standard input" : path, *std::move(text)};
}

void import(const ImportFlags& flags) {
  sim::ImportSources sources;
  sources.scenario_name = flags.name;
  sources.objects = read(flags.objects);
  if (!flags.audit.empty()) sources.audit = read(flags.audit);
  if (!flags.events.empty()) sources.events = read(flags.events);
  const auto imported = sim::import_scenario(sources);
  if (!imported) fail(imported.error(), kNotValid);
  // Whoever runs it later shall not be the first to find a mistake of ours.
  if (const auto scenario = sim::parse_scenario(imported->yaml, flags.output); !scenario) fail(scenario.error());
  if (flags.output == "-") {
    std::fputs(imported->yaml.c_str(), stdout);
  } else {
    check(write_report(flags.output, imported->yaml));
  }
  std::fprintf(stderr, "%zu machines in %zu pools, %zu manifests, %zu images' behaviour, %zu past actions\n",
               imported->machines, imported->pools, imported->manifests, imported->images, imported->actions);
  for (const auto& note : imported->notes) std::fprintf(stderr, "  not as it was: %s\n", note.c_str());
  if (flags.output != "-") std::fprintf(stderr, "Try: minik sim run %s\n", flags.output.c_str());
}

}  // namespace

void add_import(Command sim) {
  static ImportFlags flags;
  const auto command = sim.add_command("import", "Make a scenario of what a real cluster exports, to rehearse there what is to come");
  command.footer(
      "Example:\n"
      "  kubectl get nodes,pods,events,deployments,statefulsets,daemonsets,jobs,cronjobs,services,configmaps,pvc,pdb,hpa,\\\n"
      "namespaces,resourcequotas,priorityclasses -A -o yaml >dump.yaml\n"
      "  minik sim import --objects dump.yaml --audit audit.log -o production.yaml\n"
      "  minik sim run production.yaml");
  command.add_option("--objects", flags.objects, "Exported objects, YAML or JSON; - for standard input")
      .required().value_name("FILE");
  command.add_option("--audit", flags.audit, "An audit log (audit.k8s.io/v1, JSON lines): its users' writes become the timeline")
      .value_name("FILE");
  command.add_option("--events", flags.events, "Events, as kubectl get events -A -o json gives them").value_name("FILE");
  command.add_option("--name", flags.name, "The scenario's name").show_default();
  command.add_option("-o,--output", flags.output, "Where to write the scenario").value_name("FILE").show_default();
  command.callback([] { import(flags); });
}

}  // namespace minik::cli
