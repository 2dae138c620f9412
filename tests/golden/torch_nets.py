"""The networks of core/net in PyTorch, written from the papers' tables and torchvision's module
layout; shared by make_nets.py (golden files) and tests/bench/compare_pytorch.py."""
import torch
import torch.nn as nn
import torch.nn.functional as F


def width(c, divisor):
    return c if divisor == 1 else max(4, c // divisor // 4 * 4)


class Conv(nn.Conv2d):
    """Conv2d; with same=True strided convolutions are padded as TensorFlow pads."""

    def __init__(self, *args, same=False, **kwargs):
        super().__init__(*args, **kwargs)
        self.same = same and self.stride[0] > 1

    def forward(self, x):
        if not self.same:
            return super().forward(x)
        pads = []
        for axis in (3, 2):  # F.pad wants the last axis first
            n, k, s = x.shape[axis], self.kernel_size[axis - 2], self.stride[0]
            total = max((-(-n // s) - 1) * s + self.dilation[0] * (k - 1) + 1 - n, 0)
            pads += [total // 2, total - total // 2]
        return F.conv2d(F.pad(x, pads), self.weight, self.bias, self.stride, 0, self.dilation,
                        self.groups)


class Aspp(nn.Module):
    def __init__(self, c, classes, dilations):
        super().__init__()
        self.conv2d_list = nn.ModuleList(
            nn.Conv2d(c, classes, 3, padding=d, dilation=d) for d in dilations)

    def forward(self, x):
        return sum(conv(x) for conv in self.conv2d_list)


class Bottleneck(nn.Module):
    def __init__(self, inp, planes, stride, d, project, same, inplace):
        super().__init__()
        self.conv1 = Conv(inp, planes, 1, stride, bias=False, same=same)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, d, d, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, 4 * planes, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * planes)
        self.downsample = None
        if project:
            self.downsample = nn.Sequential(
                Conv(inp, 4 * planes, 1, stride, bias=False, same=same),
                nn.BatchNorm2d(4 * planes))
        self.relu = nn.ReLU(inplace)

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        y = y + (x if self.downsample is None else self.downsample(x))
        return self.relu(y)


class ResNet(nn.Module):
    def __init__(self, blocks, classes, dilations, divisor=1, same=False, inplace=True):
        super().__init__()
        inp = width(64, divisor)
        self.conv1 = Conv(3, inp, 7, 2, 3, bias=False, same=same)
        self.bn1 = nn.BatchNorm2d(inp)
        self.relu = nn.ReLU(inplace)
        self.maxpool = nn.MaxPool2d(3, 2, 1, ceil_mode=True)
        for i, (planes, n, stride, d) in enumerate(zip((64, 128, 256, 512), blocks, (1, 2, 1, 1),
                                                       (1, 1, 2, 4))):
            planes = width(planes, divisor)
            layer = []
            for b in range(n):
                layer.append(Bottleneck(inp, planes, stride if b == 0 else 1, d, b == 0, same,
                                        inplace))
                inp = 4 * planes
            setattr(self, "layer%d" % (i + 1), nn.Sequential(*layer))
        self.layer5 = Aspp(inp, classes, dilations)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        return self.layer5(self.layer4(self.layer3(self.layer2(self.layer1(x)))))


class Vgg(nn.Module):
    def __init__(self, classes, dilations, divisor=1, inplace=True):
        super().__init__()
        layers, inp = [], 3
        for c, d in ((64, 1), (64, 1), (0, 0), (128, 1), (128, 1), (0, 0), (256, 1), (256, 1),
                     (256, 1), (0, 0), (512, 1), (512, 1), (512, 1), (512, 2), (512, 2), (512, 2),
                     (1024, 4), (1024, 4)):
            if c == 0:
                layers.append(nn.MaxPool2d(2, 2))
                continue
            out = width(c, divisor)
            layers += [nn.Conv2d(inp, out, 3, padding=d, dilation=d), nn.ReLU(inplace)]
            inp = out
        self.features = nn.Sequential(*layers)
        self.classifier = Aspp(inp, classes, dilations)

    def forward(self, x):
        return self.classifier(self.features(x))


class InvertedResidual(nn.Module):
    def __init__(self, inp, out, expand, stride, d, residual, same, inplace):
        super().__init__()
        hidden = inp * expand
        layers = []
        if expand != 1:
            layers.append(nn.Sequential(nn.Conv2d(inp, hidden, 1, bias=False),
                                        nn.BatchNorm2d(hidden), nn.ReLU6(inplace)))
        layers.append(nn.Sequential(
            Conv(hidden, hidden, 3, stride, d, d, groups=hidden, bias=False, same=same),
            nn.BatchNorm2d(hidden), nn.ReLU6(inplace)))
        layers += [nn.Conv2d(hidden, out, 1, bias=False), nn.BatchNorm2d(out)]
        self.conv = nn.Sequential(*layers)
        self.residual = residual

    def forward(self, x):
        return x + self.conv(x) if self.residual else self.conv(x)


class MobileNetV2(nn.Module):
    STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
              (6, 160, 3, 2), (6, 320, 1, 1))

    def __init__(self, classes, dilations, output_stride=8, divisor=1, same=False, inplace=True):
        super().__init__()
        inp = width(32, divisor)
        features = [nn.Sequential(Conv(3, inp, 3, 2, 1, bias=False, same=same),
                                  nn.BatchNorm2d(inp), nn.ReLU6(inplace))]
        reached, d = 2, 1
        for expand, c, n, stride in self.STAGES:
            out = width(c, divisor)
            for i in range(n):
                s, after = stride if i == 0 else 1, d
                if reached * s > output_stride:
                    s, after = 1, d * s
                features.append(InvertedResidual(inp, out, expand, s, d, i > 0, same, inplace))
                reached, d, inp = reached * s, after, out
        self.features = nn.Sequential(*features)
        self.classifier = Aspp(inp, classes, dilations)

    def forward(self, x):
        return self.classifier(self.features(x))


class Discriminator(nn.Sequential):
    def __init__(self, classes, divisor=1):
        layers, inp = [], classes
        for c in (64, 128, 256, 512):
            out = width(c, divisor)
            layers += [nn.Conv2d(inp, out, 4, 2, 1), nn.LeakyReLU(0.2)]
            inp = out
        super().__init__(*layers, nn.Conv2d(inp, 1, 4, 2, 1))


def build(arch, classes, dilations, divisor=1, output_stride=8, same=False, inplace=True):
    if arch == "deeplabv2-vgg16":
        return Vgg(classes, dilations, divisor, inplace)
    if arch == "deeplabv2-mobilenetv2":
        return MobileNetV2(classes, dilations, output_stride, divisor, same, inplace)
    blocks = {"deeplabv2-resnet101": (3, 4, 23, 3), "deeplabv2-resnet50": (3, 4, 6, 3)}[arch]
    return ResNet(blocks, classes, dilations, divisor, same, inplace)


def freeze_bn(net):
    for m in net.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.weight.requires_grad_(False)
            m.bias.requires_grad_(False)
    return net.eval()
