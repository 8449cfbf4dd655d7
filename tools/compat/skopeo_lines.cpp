#include "tools/compat/skopeo_lines.h"

#include <algorithm>

#include "libimage/base/text.h"

#include "tools/common/terminal.h"

namespace lade::tools::compat {

void CopyLines::image_lines(const oci::Document& document) {
  lines_.push_back({"Getting image source signatures"});
  if (const auto* manifest = std::get_if<oci::Manifest>(&document.parsed)) {
    for (const oci::Descriptor& layer : manifest->layers) {
      const std::string digest = layer.digest.str();
      lines_.push_back({cat("Copying blob ", digest), digest});
    }
    const std::string config = manifest->config.digest.str();
    lines_.push_back({cat("Copying config ", config), config});
  }
  lines_.push_back({"Writing manifest to image destination"});
}

void CopyLines::begin(const CopyPlan& plan) {
  const std::scoped_lock lock(mutex_);
  lines_.clear();
  printed_ = 0;
  const auto document_of = [&](const Digest& digest) {
    const auto found = std::find_if(
        plan.documents.begin(), plan.documents.end(),
        [&](const oci::Document& document) { return document.descriptor.digest == digest; });
    return found == plan.documents.end() ? nullptr : &*found;
  };
  const oci::Document* root = document_of(plan.root.digest);
  if (root == nullptr) return;
  const auto* index = std::get_if<oci::Index>(&root->parsed);
  if (index == nullptr) return image_lines(*root);
  lines_.push_back({"Getting image list signatures"});
  std::vector<const oci::Document*> images;
  for (const oci::Descriptor& entry : index->manifests) {
    if (const oci::Document* image = document_of(entry.digest)) images.push_back(image);
  }
  lines_.push_back({cat("Copying ", images.size(), " images generated from ",
                        index->manifests.size(), " images in list")});
  for (std::size_t i = 0; i < images.size(); ++i) {
    lines_.push_back({cat("Copying image ", images[i]->descriptor.digest.str(), " (", i + 1, "/",
                          images.size(), ")")});
    image_lines(*images[i]);
  }
  lines_.push_back({"Writing manifest list to image destination"});
}

void CopyLines::print_until(std::size_t end) {
  std::string text;
  for (; printed_ < end; ++printed_) text += cat(lines_[printed_].text, "\n");
  if (mode_ == Mode::shown && !text.empty()) print(text);
}

void CopyLines::notify(const ProgressEvent& event) noexcept {
  try {
    WarningLog::notify(event);
    const bool begins =
        event.kind == ProgressEvent::Kind::started || event.kind == ProgressEvent::Kind::finished;
    if (!begins) return;
    const std::scoped_lock lock(mutex_);
    for (std::size_t i = printed_; i < lines_.size(); ++i) {
      if (lines_[i].blob == event.item) return print_until(i + 1);
    }
  } catch (const std::exception&) {  // standard output is closed: the work goes on
    return;
  }
}

void CopyLines::finish() {
  const std::scoped_lock lock(mutex_);
  print_until(lines_.size());
}

}  // namespace lade::tools::compat
