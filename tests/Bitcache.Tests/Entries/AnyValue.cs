// Values of any type of the ledger's commands, made from what their constructors and settable members ask for, and shown in
// full: a member that is new is made and shown without anybody's thinking of it.

using System.Collections;
using System.Globalization;
using System.Reflection;
using Bitcache.Core;

namespace Bitcache.Tests;

internal static class AnyValue
{
    /// <summary>Every kind of command that there is.</summary>
    public static IEnumerable<Type> Commands => typeof(Command).Assembly.GetTypes().Where(type => !type.IsAbstract && type.IsAssignableTo(typeof(Command)));

    public static object Of(Type type, Random random, string name = "")
    {
        if (type == typeof(bool)) return random.Next(2) == 1;
        if (type == typeof(byte)) return (byte)random.Next(1, 200);
        if (type == typeof(int)) return random.Next(1, 1_000);
        if (type == typeof(uint)) return (uint)random.Next(1, 1_000);
        if (type == typeof(long)) return (long)random.Next(1, int.MaxValue);
        if (type == typeof(UInt128)) return new UInt128((ulong)random.NextInt64(), (ulong)random.NextInt64());
        if (type == typeof(string)) return $"text{random.Next()}";
        if (type == typeof(Msat)) return new Msat(random.Next(1, 1_000_000));
        if (type == typeof(Sats)) return new Sats(random.Next(1, 1_000_000));
        if (type == typeof(ByteString)) return Bytes(LengthOf(name, random), random);
        if (type == typeof(Payment)) return Credit(random);
        if (type.IsEnum) return Enum.GetValues(type).GetValue(random.Next(1, Enum.GetValues(type).Length))!;
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IReadOnlyList<>)) return List(type.GetGenericArguments()[0], random);
        return Made(type, random);
    }

    /// <summary>All that can be seen of a value.</summary>
    public static string Show(object? value) => value switch
    {
        null => "none",
        IEnumerable list and not string => $"[{string.Join(", ", list.Cast<object?>().Select(Show))}]",
        Payment payment => $"{Members(payment)} {Convert.ToHexStringLower(payment.Reference)}",
        ByteString or UInt128 or string or IFormattable => Convert.ToString(value, CultureInfo.InvariantCulture)!,
        bool yes => yes ? "yes" : "no",
        _ => Members(value),
    };

    private static string Members(object value) => $"{value.GetType().Name} {{ {string.Join(", ", value.GetType()
        .GetProperties(BindingFlags.Public | BindingFlags.Instance)
        .Where(member => !member.PropertyType.IsByRefLike && member.GetIndexParameters().Length == 0)
        .Select(member => $"{member.Name} {Show(member.GetValue(value))}"))} }}";

    private static object Made(Type type, Random random)
    {
        var constructor = type.GetConstructors().Where(one => one.GetParameters() is not [var only] || only.ParameterType != type).MaxBy(one => one.GetParameters().Length)!;
        var value = constructor.Invoke([.. constructor.GetParameters().Select(parameter => Perhaps(parameter.ParameterType, random, parameter.Name!))]);
        var named = constructor.GetParameters().Select(parameter => parameter.Name).ToHashSet();
        foreach (var member in type.GetProperties().Where(member => member.CanWrite && !named.Contains(member.Name)))
            member.SetValue(value, Perhaps(member.PropertyType, random, member.Name));
        return value;
    }

    private static object? Perhaps(Type type, Random random, string name) => Nullable.GetUnderlyingType(type) is not { } inner
        ? Of(type, random, name)
        : random.Next(2) == 0 ? null : Of(inner, random, name);

    private static Array List(Type type, Random random)
    {
        var list = Array.CreateInstance(type, random.Next(1, 4));
        for (var i = 0; i < list.Length; i++) list.SetValue(Of(type, random), i);
        return list;
    }

    /// <summary>Letters, since some of them are text.</summary>
    private static ByteString Bytes(int length, Random random) => new([.. Enumerable.Range(0, length).Select(_ => (byte)random.Next('a', 'z'))]);

    /// <summary>Keys and signatures have one length.</summary>
    private static int LengthOf(string name, Random random) => name switch
    {
        "OldKey" or "NewKey" => 32,
        "Signature" => 64,
        _ => random.Next(0, 40),
    };

    /// <summary>What a leg carries is nothing but a transfer.</summary>
    private static Payment Credit(Random random)
    {
        var payment = new Payment
        {
            Kind = PaymentKind.Transfer,
            Id = (OperationId)Of(typeof(OperationId), random),
            Payer = (WalletId)Of(typeof(WalletId), random),
            Payee = (WalletId)Of(typeof(WalletId), random),
            Amount = (Msat)Of(typeof(Msat), random),
            Code = (uint)random.Next(),
        };
        payment.SetReference(Bytes(random.Next(Limits.ReferenceBytesMax + 1), random).Span);
        return payment;
    }
}
