#include "minik/process/audit_log.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "control/base/text.h"
#include "control/object/json.h"
#include "tests/process/temporary_folder.h"

namespace minik {
namespace {

control::AuditRecord record(std::string uri) {
  control::AuditedRequest request;
  request.choice.level = control::AuditLevel::kMetadata;
  request.id = "id";
  request.uri = std::move(uri);
  request.verb = "get";
  return {.request = std::make_shared<const control::AuditedRequest>(std::move(request)),
          .stage = control::AuditStage::kResponseComplete, .code = 200};
}

std::vector<std::string> lines_of(const std::string& path) {
  std::vector<std::string> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

TEST(AuditLog, HasALineOfJsonForEachEvent) {
  TemporaryFolder folder;
  AuditLogOptions options;
  options.path = folder.file("audit.log");
  {
    const auto log = AuditLog::open(options);
    ASSERT_TRUE(log) << log.error().message;
    (*log)->write(record("/version"));
    (*log)->write(record("/healthz"));
  }
  const auto lines = lines_of(options.path);
  ASSERT_EQ(lines.size(), 2u);
  const auto event = control::parse_json(lines[0]);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->get("kind").string(), "Event");
  EXPECT_EQ(event->get("requestURI").string(), "/version");
  EXPECT_EQ(event->get("responseStatus").get("code").as_int(), 200);
  struct stat found {};
  ASSERT_EQ(stat(options.path.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 077, 0u) << "only its owner reads who did what";
}

TEST(AuditLog, KeepsAsManyFullFilesAsItMay) {
  TemporaryFolder folder;
  AuditLogOptions options;
  options.path = folder.file("audit.log");
  options.file_bytes_max = 4000;
  options.old_files_max = 2;
  {
    const auto log = AuditLog::open(options);
    ASSERT_TRUE(log);
    for (int i = 0; i < 100; ++i) (*log)->write(record(cat("/", i)));
  }
  for (const char* old : {"", ".1", ".2"}) {
    struct stat found {};
    ASSERT_EQ(stat(cat(options.path, old).c_str(), &found), 0) << old;
    EXPECT_LE(found.st_size, 4000);
  }
  EXPECT_TRUE(lines_of(options.path + ".3").empty());
  EXPECT_NE(lines_of(options.path).back().find("\"/99\""), std::string::npos) << "the newest stands in audit.log";
}

TEST(AuditLog, DropsWhatDoesNotFitInsteadOfWaiting) {
  TemporaryFolder folder;
  AuditLogOptions options;
  options.path = folder.file("audit.log");
  options.queue_bytes_max = 0;
  MetricRegistry metrics;
  {
    const auto log = AuditLog::open(options);
    ASSERT_TRUE(log);
    const auto counts = (*log)->collect(metrics);
    (*log)->write(record("/version"));
    EXPECT_NE(metrics.text(MetricFormat::kPrometheus).find("apiserver_audit_error_total{plugin=\"log\"} 1"), std::string::npos);
  }
  EXPECT_TRUE(lines_of(options.path).empty());
}

TEST(AuditPolicyFile, TellsFileAndLineOfAMistake) {
  const auto policy = parse_audit_policy("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n- level: Everything\n", "p.yaml");
  ASSERT_FALSE(policy);
  EXPECT_EQ(policy.error().message, "p.yaml:5: rules[1].level: must be None, Metadata, Request or RequestResponse");
}

}  // namespace
}  // namespace minik
