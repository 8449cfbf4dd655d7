#include <set>

#include "libimage/base/text.h"
#include "libimage/oci/json_text.h"
#include "libimage/validate/validate.h"

namespace lade::validate {
namespace {

/// "sha256:abc...: layers[2].size", as much of it as there is.
std::string where(const Finding& finding) {
  return cat(finding.place, finding.path.empty() ? "" : ": ", finding.path);
}

std::string summary(const Report& report) {
  std::string out = cat(counted(report.count(Severity::error), "error"), ", ",
                        counted(report.count(Severity::warning), "warning"), ", ",
                        counted(report.count(Severity::note), "note"));
  if (report.left_out > 0) out += cat(" and ", report.left_out, " findings more");
  out += cat(" in ", counted(report.documents, "document"), ", ", counted(report.blobs, "blob"),
             " of ", human_size(report.blob_bytes));
  if (report.unpacked_bytes > 0) {
    out += cat(" (", human_size(report.unpacked_bytes), " unpacked, ",
               counted(report.entries, "file"), ")");
  }
  return out;
}

std::string member(std::string_view name, std::string_view text) {
  return cat(oci::json_string(name), ":", oci::json_string(text));
}

std::string finding_json(const Finding& finding) {
  std::string out =
      cat("{", member("rule", finding.rule->id), ",",
          member("severity", name_of(finding.rule->severity)), ",",
          member("section", finding.rule->section), ",", member("place", finding.place));
  if (!finding.path.empty()) out += cat(",", member("path", finding.path));
  return cat(out, ",", member("message", finding.message), "}");
}

std::string sarif_rule(const Rule& rule) {
  return cat("{", member("id", rule.id), ",\"shortDescription\":{", member("text", rule.text),
             "},\"help\":{", member("text", cat("image-spec v1.1.1, ", rule.section)),
             "},\"defaultConfiguration\":{", member("level", name_of(rule.severity)), "}}");
}

/// The name as a URI reference: what is not allowed in one is escaped.
std::string uri_of(std::string_view name) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : name) {
    const bool kept = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      std::string_view("-._~:/@").find(c) != std::string_view::npos;
    const auto byte = static_cast<unsigned char>(c);
    if (kept) {
      out += c;
    } else {
      out += {'%', kHex[byte >> 4U], kHex[byte & 15U]};
    }
  }
  return out;
}

std::string sarif_result(const Finding& finding, const std::string& name) {
  return cat("{", member("ruleId", finding.rule->id), ",",
             member("level", name_of(finding.rule->severity)), ",\"message\":{",
             member("text", cat(where(finding), ": ", finding.message)),
             "},\"locations\":[{\"physicalLocation\":{\"artifactLocation\":{",
             member("uri", uri_of(name)), "}},\"logicalLocations\":[{",
             member("fullyQualifiedName", where(finding)), "}]}]}");
}

}  // namespace

std::string to_text(const Report& report, const std::string& name) {
  std::string out;
  for (const Finding& finding : report.findings) {
    out += cat(name_of(finding.rule->severity), ": ", where(finding), ": ", finding.message, " [",
               finding.rule->id, ": ", finding.rule->section, "]\n");
  }
  return cat(out, printable(name), ": ", summary(report), "\n");
}

std::string to_json(const Report& report, const std::string& name) {
  std::string findings;
  for (const Finding& finding : report.findings) {
    findings += cat(findings.empty() ? "" : ",", finding_json(finding));
  }
  return cat("{", member("name", name), ",\"errors\":", report.count(Severity::error),
             ",\"warnings\":", report.count(Severity::warning),
             ",\"notes\":", report.count(Severity::note), ",\"leftOut\":", report.left_out,
             ",\"documents\":", report.documents, ",\"blobs\":", report.blobs,
             ",\"blobBytes\":", report.blob_bytes, ",\"unpackedBytes\":", report.unpacked_bytes,
             ",\"entries\":", report.entries, ",\"findings\":[", findings, "]}");
}

std::string to_sarif(const Report& report, const std::string& name) {
  std::set<std::string_view> used;
  std::string results;
  for (const Finding& finding : report.findings) {
    used.insert(finding.rule->id);
    results += cat(results.empty() ? "" : ",", sarif_result(finding, name));
  }
  std::string rules_json;
  for (const std::string_view id : used) {
    rules_json += cat(rules_json.empty() ? "" : ",", sarif_rule(rule(id)));
  }
  return cat(
      "{\"$schema\":\"https://json.schemastore.org/sarif-2.1.0.json\",\"version\":\"2.1.0\","
      "\"runs\":[{\"tool\":{\"driver\":{\"name\":\"lade\",\"rules\":[",
      rules_json, "]}},\"results\":[", results, "]}]}");
}

}  // namespace lade::validate
