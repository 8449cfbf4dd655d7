#include <algorithm>
#include <map>

#include "libimage/base/error.h"
#include "libimage/image/node.h"
#include "libimage/task/run_graph.h"

namespace lade::image {

void drop_provenance(Description& description) {
  visit_nodes(description.root, [](Node& node) {
    std::vector<Node*> attached = {&node};
    add_referrers(node, attached);
    for (Node* one : attached) {
      std::erase_if(one->statements, [](const Statement& statement) {
        return statement.kind == Statement::Kind::provenance;
      });
    }
  });
}

void find_tags(Description& description, Reader& reader, const DescribeOptions& options) {
  std::optional<std::vector<std::string>> names = reader.tags();
  if (!names) throw Error(Errc::unsupported, "images of this transport have no tags");
  if (names->size() > kMaxTagsAsked) {
    description.tags_left_out = names->size() - kMaxTagsAsked;
    names->resize(kMaxTagsAsked);
  }
  std::vector<char> same(names->size(), 0);
  parallel_for(
      names->size(), jobs_of(reader, options),
      [&](std::size_t i) {
        const auto found = reader.resolve(Tag{(*names)[i]});
        same[i] = found && found->digest == description.root.descriptor.digest ? 1 : 0;
      },
      options.stop);
  description.tags.emplace();
  for (std::size_t i = 0; i < names->size(); ++i) {
    if (same[i] != 0) description.tags->push_back(std::move((*names)[i]));
  }
  std::sort(description.tags->begin(), description.tags->end());
}

void check_bases(Description& description, const OpenBase& open, const DescribeOptions& options) {
  std::map<std::string, std::vector<Node*>> by_name;
  for (Node* image : images_of(description.root)) {
    if (!image->base) continue;
    if (image->base->name.empty()) {
      image->base->state = BaseImage::State::unknown;
      image->base->problem = "only its digest is known";
      continue;
    }
    by_name[image->base->name].push_back(image);
  }
  std::vector<const std::pair<const std::string, std::vector<Node*>>*> names;
  for (const auto& one : by_name) names.push_back(&one);
  const auto failed = [](BaseImage& base, const Error& e) {
    base.state = BaseImage::State::unknown;
    base.problem = e.what();
  };
  parallel_for(
      names.size(), options.jobs,
      [&](std::size_t i) {
        const auto& [name, images] = *names[i];
        try {
          const OpenedBase now = open(name);
          for (Node* image : images) {
            try {
              std::vector<oci::Descriptor> layers;
              for (const LayerLine& layer : image->layers) layers.push_back(layer.descriptor);
              const oci::Platform platform = image->descriptor.platform
                                                 ? *image->descriptor.platform
                                             : image->config ? image->config->platform()
                                                             : oci::Platform();
              check_base(*image->base, now, platform, layers);
            } catch (const Error& e) {
              failed(*image->base, e);
            }
          }
        } catch (const Error& e) {
          for (Node* image : images) failed(*image->base, e);
        }
      },
      options.stop);
}

}  // namespace lade::image
