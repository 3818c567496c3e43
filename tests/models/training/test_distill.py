"""Distillation: the losses by loops in numpy, teachers of both kinds, wrong teachers."""

import numpy as np
import pytest
import torch
from torch import nn

from signflow.models import networks, weights
from signflow.models.data import Augment, MemorySource
from signflow.models.training import distill, loop
from signflow.models.training.recipe import Recipe, RecipeError

CPU = torch.device("cpu")


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def by_loops(student, teacher, labels, share):
    """(1 - share) * soft cross-entropy + share * cross-entropy, image by image."""
    total = 0.0
    for s, t, label in zip(student, teacher, labels, strict=True):
        log_p = np.log(softmax(s))
        total += (1 - share) * -(softmax(t) * log_p).sum() - share * log_p[label]
    return total / len(student)


@pytest.fixture
def script(tmp_path):
    """A TorchScript teacher: (file, module). It tells apart which two of the first twenty rows are bright."""
    module = nn.Sequential(nn.Flatten(), nn.Linear(784, 10, bias=False))
    rows = torch.eye(10).repeat_interleave(2, dim=1).repeat_interleave(28, dim=1)
    module[1].weight.data = nn.functional.pad(rows, (0, 784 - 560)) * 8 / (56 * 255)
    torch.jit.save(torch.jit.trace(module, torch.zeros(2, 1, 28, 28)), tmp_path / "teacher.pt")
    return str(tmp_path / "teacher.pt"), module


@pytest.mark.parametrize(("loss", "share"), [("distillation", 0.0), ("distillation+labels", 0.5)])
def test_the_losses(script, loss, share):
    path, module = script
    recipe = Recipe("tfc", 1, loss=loss, teacher=path, amp=False)
    images, labels = torch.rand(5, 1, 28, 28) * 255, torch.tensor([1, 0, 9, 3, 3])
    logits = torch.randn(5, 10)
    got = distill.loss_of(recipe, CPU)(logits, labels, images)
    want = by_loops(logits.double().numpy(), module(images).detach().double().numpy(), labels.numpy(), share)
    assert got.item() == pytest.approx(want, rel=1e-6)


def test_cross_entropy_is_to_the_labels():
    logits, labels = torch.randn(5, 10), torch.tensor([1, 0, 9, 3, 3])
    got = distill.loss_of(Recipe("tfc", 1), CPU)(logits, labels, torch.empty(0))
    want = by_loops(logits.double().numpy(), np.zeros((5, 10)), labels.numpy(), 1.0)
    assert got.item() == pytest.approx(want, rel=1e-6)


def test_the_gradient_is_the_difference_of_the_softmaxes():
    student, teacher = torch.randn(4, 7, dtype=torch.float64, requires_grad=True), torch.randn(4, 7).double()
    distill.soft_cross_entropy(student, teacher).backward()
    want = np.array([softmax(s) - softmax(t) for s, t in zip(student.detach().numpy(), teacher.numpy(), strict=True)])
    np.testing.assert_allclose(student.grad.numpy(), want / 4, rtol=0, atol=1e-15)


def test_a_teacher_among_our_networks():
    guide = distill.teacher(Recipe("tfc", 1, loss="distillation", teacher="sfc"))
    shipped = weights.trained("sfc")
    x = torch.randint(0, 256, (9, 1, 28, 28)).float()
    assert torch.equal(guide(x), shipped(x)) and not guide.training
    assert not any(p.requires_grad for p in guide.parameters())


def test_a_teacher_with_weights_of_its_own(tmp_path):
    torch.manual_seed(5)
    net = networks.network("tfc-abn").build().eval()
    weights.save(net, tmp_path / "mine.npz")
    keys = {"loss": "distillation", "teacher": "tfc-abn", "teacher_weights": str(tmp_path / "mine.npz")}
    x = torch.randint(0, 256, (9, 1, 28, 28)).float()
    assert torch.equal(distill.teacher(Recipe("tfc", 1, **keys))(x), net(x))
    with pytest.raises(weights.WeightsError, match="no trained weights ship"):
        distill.teacher(Recipe("tfc", 1, loss="distillation", teacher="tfc-none"))


def test_wrong_teachers(tmp_path, script):
    def ask(**keys):
        return distill.loss_of(Recipe("tfc", 1, loss="distillation", **keys), CPU)

    with pytest.raises(RecipeError, match=r"teacher = 'cnv' reads images \(1, 32, 32\), the student \(1, 28, 28\)"):
        ask(teacher="cnv")
    with pytest.raises(
        RecipeError, match=r"teacher = 'resnet34': neither a TorchScript file \(.pt\) nor one of `signflow networks"
    ):
        ask(teacher="resnet34")
    with pytest.raises(RecipeError, match=r"teacher = 'no\.pt': no such file"):
        ask(teacher="no.pt")
    with pytest.raises(RecipeError, match=r"teacher_weights = 'a\.npz': a TorchScript teacher holds its own"):
        ask(teacher=script[0], teacher_weights="a.npz")
    (tmp_path / "bad.pt").write_bytes(b"no script")
    with pytest.raises(RecipeError, match=r"bad.pt': not a TorchScript file"):
        ask(teacher=str(tmp_path / "bad.pt"))
    with pytest.raises(RecipeError, match=r"the teacher gives logits \(3, 10\), the student \(3, 4\)"):
        ask(teacher=script[0])(torch.zeros(3, 4), torch.zeros(3).long(), torch.zeros(3, 1, 28, 28))


def test_a_student_follows_its_teacher_and_not_the_labels(script, tmp_path, monkeypatch):
    path, module = script
    rng = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (400, 1, 28, 28), generator=rng).to(torch.uint8)
    for i, image in enumerate(images):
        image[0, 2 * (i % 10) : 2 * (i % 10) + 2] = 255
    told = module(images.float()).argmax(1)
    assert torch.equal(told, torch.arange(400) % 10)
    wrong = (told + 1) % 10
    monkeypatch.setattr(loop, "source", lambda *_: MemorySource(images, wrong, 10, Augment()))
    recipe = Recipe("tfc", 8, batch=20, crop=0, flip=False, loss="distillation", teacher=path)
    net = loop.train(recipe, tmp_path, say=lambda _: None).net
    assert loop.accuracy(net, MemorySource(images, told, 10, Augment())) > 0.8
    assert loop.accuracy(net, MemorySource(images, wrong, 10, Augment())) < 0.1
