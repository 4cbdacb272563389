"""Words for synthetic speech: a few dozen everyday words in many languages, dealt at random into nonsense sentences.

The voice only needs the sounds of the language, not its grammar; English words come from the recogniser's dictionary.
"""

from __future__ import annotations

import numpy as np

WORDS = {
    "de": "der die das ein schöner Bürger Tür Straße Vogel Wasser Fenster Mädchen Küche Brot Apfel Baum Pferd Zeit Jahr "
          "über früh möchte können müssen sprechen bleiben gehen öffnen zwölf fünf acht neun Buch Bild Auge Ohr Hände "
          "glücklich plötzlich morgen Abend Freund Schule ich auch nicht weiß heute immer Papier Pumpe Blume Familie",
    "fr": "le la une petite plume bleue peuple bouche beau jour monde bonjour maman papa fenêtre voiture rue feu deux "
          "heure peur sœur vouloir pouvoir manger parler toujours jamais beaucoup pomme pain vin blanc vert jaune chien "
          "oiseau famille travail lumière nuit huit chambre français montagne premier homme femme voix joie oui bien",
    "es": "el la una casa perro gato beber vivir hombre mujer mañana noche ventana puerta agua pueblo bueno malo grande "
          "pequeño rojo verde azul amarillo mesa silla zapato camino corazón llamar llover jugar trabajo guerra queso "
          "ciudad gente cuatro cinco ocho nueve pan vino jefe rápido después siempre nunca mucho poco también feliz",
    "it": "il la un bambino bella giorno notte acqua pane vino mangiare bere parlare vivere amico famiglia gente figlio "
          "occhio bocca mano piede casa strada città piazza pioggia sole luna cielo bianco nero rosso verde giallo "
          "piccolo grande sempre mai molto poco quattro cinque otto nove perché subito uomo donna zio pesce cibo",
    "pt-br": "o a uma menina bonita dia noite água pão vinho comer beber falar viver amigo família gente filho olho boca "
             "mão pé casa rua cidade chuva sol lua céu branco preto vermelho verde amarelo pequeno grande sempre nunca "
             "muito pouco quatro cinco oito nove porque homem mulher peixe coração não bom trabalho jogo chão",
    "nl": "de het een mooi huis water brood appel boom paard tijd jaar vroeg kunnen moeten spreken blijven gaan openen "
          "twaalf vijf acht negen boek beeld oog oor handen gelukkig morgen avond vriend school ook niet wit vandaag "
          "altijd papier pomp bloem familie muur deur keuken meisje vogel buiten goed schip zuur duur leuk",
    "pl": "dom woda chleb jabłko drzewo koń czas rok wcześnie móc musieć mówić zostać iść otworzyć dwanaście pięć osiem "
          "dziewięć książka obraz oko ucho ręce szczęśliwy jutro wieczór przyjaciel szkoła też nie biały dzisiaj zawsze "
          "papier pompa kwiat rodzina ściana drzwi kuchnia dziewczyna ptak dobry życie człowiek mama babcia",
    "ru": "дом вода хлеб яблоко дерево лошадь время год рано мочь говорить остаться идти открыть двенадцать пять восемь "
          "девять книга картина глаз ухо руки счастливый завтра вечер друг школа тоже нет белый сегодня всегда бумага "
          "цветок семья стена дверь кухня девушка птица хороший жизнь человек мама бабушка любовь рыба мышь вы бы",
    "tr": "ev su ekmek elma ağaç at zaman yıl erken konuşmak kalmak gitmek açmak on beş sekiz dokuz kitap resim göz kulak "
          "el mutlu yarın akşam arkadaş okul da değil beyaz bugün hep kağıt çiçek aile duvar kapı mutfak kız kuş iyi "
          "güzel gün büyük küçük süt köpek üzüm yüz söz dünya için çünkü balık bebek para hava",
    "sv": "hus vatten bröd äpple träd häst tid år tidigt kunna tala stanna gå öppna tolv fem åtta nio bok bild öga öra "
          "händer lycklig morgon kväll vän skola också inte vit idag alltid papper blomma familj vägg dörr kök flicka "
          "fågel bra mycket sjuk kyrka ljus nyckel tjugo sköld pojke barn mamma båt",
    "fi": "talo vesi leipä omena puu hevonen aika vuosi aikaisin puhua jäädä mennä avata kaksitoista viisi kahdeksan "
          "yhdeksän kirja kuva silmä korva kädet onnellinen huominen ilta ystävä koulu myös ei valkoinen tänään aina "
          "paperi kukka perhe seinä ovi keittiö tyttö lintu hyvä yö työ pöytä mökki pappa mummo lumi",
    "hu": "ház víz kenyér alma fa ló idő év korán beszélni maradni menni kinyitni tizenkettő öt nyolc kilenc könyv kép "
          "szem fül kezek boldog holnap este barát iskola is nem fehér ma mindig papír virág család fal ajtó konyha "
          "lány madár jó szép gyerek bátyám föld út zöld kutya macska béke pipa baba mama",
    "hi": "घर पानी रोटी सेब पेड़ घोड़ा समय साल जल्दी बोलना रहना जाना खोलना बारह पाँच आठ नौ किताब चित्र आँख कान हाथ खुश कल शाम दोस्त स्कूल "
          "भी नहीं सफेद आज हमेशा कागज फूल परिवार दीवार दरवाजा लड़की चिड़िया अच्छा बच्चा माँ पिता भाई मछली बड़ा छोटा",
    "ar": "بَيْت ماء خُبْز تُفّاحَة شَجَرَة حِصان وَقْت سَنَة كَلام ذَهَبَ فَتَحَ خَمْسَة ثَمانِيَة تِسْعَة كِتاب صورَة عَيْن أُذُن يَد سَعيد غَداً مَساء صَديق مَدْرَسَة "
          "أَيْضاً لا أَبْيَض اليَوْم دائِماً وَرَق زَهْرَة عائِلَة جِدار باب مَطْبَخ بِنْت طائِر جَيِّد كَبير صَغير وَلَد أُمّ أَب شَمْس قَمَر بَحْر",
    "ko": "집 물 빵 사과 나무 말 시간 년 일찍 말하다 가다 열다 다섯 여덟 아홉 책 그림 눈 귀 손 행복 내일 저녁 친구 학교 또한 아니 하얀 오늘 항상 종이 꽃 가족 벽 문 "
          "부엌 소녀 새 좋은 아버지 어머니 바다 바람 비 불 우유 오이 아이 여우 배 포도 고기 감자",
    "ja": "いえ みず ぱん りんご き うま じかん とし はやい はなす いく あける ごはん やっつ ここのつ ほん え め みみ て しあわせ あした ゆうがた ともだち がっこう "
          "また いいえ しろい きょう いつも かみ はな かぞく かべ まど だいどころ おんなのこ とり よい ふゆ なつ うみ やま ふね ぼうし むし みなみ",
    "cmn-latn-pinyin": "ni3 hao3 wo3 men5 shi4 zhong1 guo2 ren2 jin1 tian1 ming2 nian2 shui3 mian4 bao1 ping2 guo3 shu4 ma3 "
                       "shi2 jian1 shuo1 hua4 qu4 kai1 wu3 ba1 jiu3 shu1 tu2 yan3 er3 duo5 shou3 kuai4 le4 peng2 you3 xue2 "
                       "xiao4 ye3 bu4 bai2 yi3 zhi3 hua1 jia1 qiang2 men2 chu2 fang2 nv3 hai2 niao3 yue4 liang4 feng1",
    "vi": "nhà nước bánh táo cây ngựa thời gian năm sớm nói đi mở mười năm tám chín sách tranh mắt tai tay vui mai tối bạn "
          "trường cũng không trắng nay luôn giấy hoa gia đình tường cửa bếp gái chim tốt mẹ bố biển mưa gió lửa sữa",
    "id": "rumah air roti apel pohon kuda waktu tahun bicara pergi buka lima delapan sembilan buku gambar mata telinga "
          "tangan bahagia besok malam teman sekolah juga tidak putih hari selalu kertas bunga keluarga dinding pintu dapur "
          "anak burung baik bapak ibu pulau hujan api susu besar kecil mimpi bambu",
    "el": "σπίτι νερό ψωμί μήλο δέντρο άλογο χρόνος έτος νωρίς μιλάω πάω ανοίγω δώδεκα πέντε οκτώ εννέα βιβλίο εικόνα μάτι "
          "αυτί χέρι χαρούμενος αύριο βράδυ φίλος σχολείο επίσης όχι λευκό σήμερα πάντα χαρτί λουλούδι τοίχος πόρτα κουζίνα",
}  # fmt: skip


def nonsense(words: list[str], rng: np.random.Generator) -> str:
    """A random sentence of 3 to 14 words, with a comma (a pause) now and then."""
    count = int(rng.integers(3, 15))
    picked = [words[i] for i in rng.integers(0, len(words), count)]
    for i in range(1, count - 1):
        if rng.random() < 0.1:
            picked[i] += "," if rng.random() < 0.7 else "."
    return " ".join(picked) + rng.choice([".", "!", "?", "."])
