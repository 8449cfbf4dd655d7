#include "libimage/copy/attached.h"

#include <algorithm>

#include "libimage/base/text.h"
#include "libimage/name/tag_filter.h"
#include "libimage/task/run_graph.h"

namespace lade {
namespace {

using oci::Descriptor;

/// Up to here three questions for each document are less than the list of a busy repository's tags.
constexpr std::size_t kFewDocuments = 8;

struct CosignName {
  std::string name;
  Digest subject;
};

std::vector<CosignName> cosign_names(const std::vector<Descriptor>& of) {
  std::vector<CosignName> names;
  for (const Descriptor& document : of) {
    for (std::string& tag : cosign_tags(document.digest))
      names.push_back({std::move(tag), document.digest});
  }
  return names;
}

/// Those of `names` that the source has, as far as its list of tags tells.
std::vector<CosignName> listed(Reader& source, std::vector<CosignName> names) {
  std::optional<std::vector<std::string>> tags;
  try {
    tags = source.tags();
  } catch (const Error& e) {
    // Registries that list no tags still answer for each.
    const bool refused = e.code() == Errc::denied || e.code() == Errc::unauthorized ||
                         e.code() == Errc::unsupported || e.code() == Errc::not_found;
    if (!refused) throw;
  }
  if (!tags) return names;
  const std::set<std::string> all(tags->begin(), tags->end());
  std::erase_if(names, [&](const CosignName& name) { return !all.contains(name.name); });
  return names;
}

}  // namespace

std::vector<Referrers> find_referrers(DocumentCache& documents,
                                      const std::vector<Descriptor>& subjects,
                                      const CopyOptions& options) {
  std::vector<Referrers> answers;
  for (const Descriptor& subject : subjects) answers.push_back({.subject = subject});
  parallel_for(answers.size(), options.jobs, [&](std::size_t i) {
    auto found = documents.source().referrers(answers[i].subject.digest);
    answers[i].known = found.has_value();
    if (found) answers[i].found = *std::move(found);
  });
  return answers;
}

std::vector<CosignTag> find_cosign_tags(DocumentCache& documents, const std::vector<Descriptor>& of,
                                        const CopyOptions& options) {
  std::vector<CosignName> names = cosign_names(of);
  if (of.size() > kFewDocuments) names = listed(documents.source(), std::move(names));
  std::vector<std::optional<Descriptor>> found(names.size());
  parallel_for(names.size(), options.jobs,
               [&](std::size_t i) { found[i] = documents.source().resolve(Tag{names[i].name}); });
  std::vector<CosignTag> tags;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!found[i]) continue;
    tags.push_back({.tag = {names[i].name}, .document = *found[i], .subject = names[i].subject});
  }
  return tags;
}

}  // namespace lade
